"""Lag in seconds, rates and trends, from what is seen while running."""

from __future__ import annotations

from collections import deque

from engine.api.snapshots import Trend

MAX_SAMPLES = 32
RATE_SMOOTHING = 0.3  # weight of the newest second
TREND_WINDOW = 5  # ticks
STALLED_AFTER_TICKS = 5
DRIFT_WINDOW_S = 20.0
DRIFT_LEAST_S = 4.5  # less tells nothing: source ends come in steps


class LagClock:
    """How old the oldest record is that is not mirrored yet.

    Remembers when the source's end was first seen beyond an offset, so it needs no timestamps of
    producers and no synchronised clocks. For a backlog older than the first look there is only the
    timestamp of the newest mirrored record: then the age is an upper bound.
    """

    __slots__ = ("_began_behind", "_samples")

    def __init__(self) -> None:
        self._samples: deque[tuple[int, float]] = deque()  # (source end, when it was first seen)
        self._began_behind = -1  # the end at the first look, while that backlog lasts

    def observe(self, source_end: int, mirrored_to: int, now: float) -> None:
        """Note the source's end; `now` in seconds."""
        samples = self._samples
        if not samples:
            if source_end > mirrored_to and self._began_behind < 0:
                self._began_behind = source_end
            samples.append((source_end, now))
        elif source_end > samples[-1][0]:
            samples.append((source_end, now))
        while len(samples) > 1 and samples[0][0] <= mirrored_to:
            samples.popleft()
        if mirrored_to >= self._began_behind:
            self._began_behind = 0
        if len(samples) > MAX_SAMPLES:
            self._samples = deque(list(samples)[::2])  # coarser, the oldest kept

    def seconds(
        self, source_end: int, mirrored_to: int, now: float, newest_mirrored_ms: int
    ) -> float | None:
        """Age in seconds; 0.0 when in step, None when nothing tells."""
        if mirrored_to >= source_end:
            return 0.0
        if self._began_behind > mirrored_to:
            return max(0.0, now - newest_mirrored_ms / 1000) if newest_mirrored_ms > 0 else None
        for end, seen in self._samples:
            if end > mirrored_to:
                return max(0.0, now - seen)
        return 0.0


class Rate:
    """Records and bytes a second, smoothed over a few seconds."""

    __slots__ = ("_bytes", "_records", "bytes_per_second", "records_per_second")

    def __init__(self) -> None:
        self._records = self._bytes = 0
        self.records_per_second = 0.0
        self.bytes_per_second = 0.0

    def tick(self, records_total: int, bytes_total: int, elapsed: float) -> None:
        """Take in the counters `elapsed` seconds after the last tick; they may begin anew."""
        if records_total < self._records or bytes_total < self._bytes:
            self._records = self._bytes = 0
        records = (records_total - self._records) / elapsed
        size = (bytes_total - self._bytes) / elapsed
        self._records, self._bytes = records_total, bytes_total
        self.records_per_second = _smooth(self.records_per_second, records)
        self.bytes_per_second = _smooth(self.bytes_per_second, size)


def _smooth(before: float, now: float) -> float:
    value = before + RATE_SMOOTHING * (now - before)
    return 0.0 if value < 0.05 and now == 0 else value


class TrendMeter:
    """Whether lag grows, drains or stands still, over the last seconds."""

    __slots__ = ("_lags", "_still")

    def __init__(self) -> None:
        self._lags: deque[int] = deque(maxlen=TREND_WINDOW)
        self._still = 0

    def tick(self, lag_records: int, moved: bool) -> Trend:
        """Take in one second's lag; `moved` says whether anything was mirrored in it."""
        if lag_records == 0:
            self._lags.clear()  # what was before it was in step is another story
            self._still = 0
        self._lags.append(lag_records)
        if lag_records == 0:
            return Trend.IN_STEP
        self._still = 0 if moved else self._still + 1
        if self._still >= STALLED_AFTER_TICKS:
            return Trend.STALLED
        if len(self._lags) < 2:
            return Trend.UNKNOWN
        return Trend.GROWING if self._lags[-1] > self._lags[0] else Trend.DRAINING


class Drift:
    """How fast lag changes, records a second over the last DRIFT_WINDOW_S; draining is negative."""

    __slots__ = ("_lags", "_seconds")

    def __init__(self) -> None:
        self._lags: deque[tuple[float, int]] = deque()  # (seconds, lag)
        self._seconds = 0.0

    def tick(self, lag_records: int, elapsed: float) -> float | None:
        """Take in lag `elapsed` seconds after the last; None while too little was seen."""
        if lag_records == 0:
            self._lags.clear()  # what was before it was in step is another story
            return None
        self._seconds += elapsed
        self._lags.append((self._seconds, lag_records))
        while self._seconds - self._lags[0][0] > DRIFT_WINDOW_S:
            self._lags.popleft()
        since, before = self._lags[0]
        span = self._seconds - since
        return (lag_records - before) / span if span >= DRIFT_LEAST_S else None
