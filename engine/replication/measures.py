"""What is shown of a partition: its source's end, lag in records and seconds, rates, trend."""

from __future__ import annotations

from engine.api.retention_snapshots import Overtaking
from engine.api.snapshots import Trend
from engine.replication.lag import Drift, LagClock, Rate, TrendMeter


class Measures:
    """One partition's. `mirrored_to` is the next source offset, None while it has no position."""

    __slots__ = (
        "_clock",
        "_drift",
        "_meter",
        "bytes_total",
        "drift",
        "observed_at",
        "overtaken",
        "rate",
        "records_total",
        "source_end",
        "source_start",
        "trend",
    )

    def __init__(self) -> None:
        self.source_end: int | None = None
        self.source_start = 0  # of the source's log, as far as known; asked for without a position
        self.observed_at = 0.0
        self.records_total = 0
        self.bytes_total = 0
        self.rate = Rate()
        self.trend = Trend.UNKNOWN
        self.drift: float | None = None  # of the lag, records a second
        self.overtaken: Overtaking | None = None  # by the source's retention
        self._drift = Drift()
        self._meter = TrendMeter()
        self._clock = LagClock()

    def observe_end(self, end: int, mirrored_to: int | None, now: float) -> None:
        """Note the source's end and when it was seen."""
        self.observed_at = now
        if end != self.source_end:
            self.source_end = end
            if mirrored_to is not None:
                self._clock.observe(end, mirrored_to, now)

    def acknowledged(self, records: int, size: int) -> None:
        """Count what the target took."""
        self.records_total += records
        self.bytes_total += size

    def tick(self, mirrored_to: int | None, now: float, elapsed: float) -> None:
        """Bring rates and trend up to date, once a second."""
        before = self.rate.records_per_second
        self.rate.tick(self.records_total, self.bytes_total, elapsed)
        if self.source_end is not None and mirrored_to is not None:
            self._clock.observe(self.source_end, mirrored_to, now)
            moved = self.rate.records_per_second > 0 or before > 0
            lag = self.lag_records(mirrored_to) or 0
            self.trend = self._meter.tick(lag, moved)
            self.drift = self._drift.tick(lag, elapsed)
            if not lag:
                self.overtaken = None

    @property
    def mean_bytes(self) -> float | None:
        """Bytes of a mirrored record; None before the first."""
        return self.bytes_total / self.records_total if self.records_total else None

    def lag_records(self, mirrored_to: int | None) -> int | None:
        """Source offsets not mirrored yet; None while unknown."""
        if self.source_end is None or mirrored_to is None:
            return None
        return max(0, self.source_end - mirrored_to)

    def lag_seconds(self, mirrored_to: int | None, newest_ms: int, now: float) -> float | None:
        """Age of the oldest record not mirrored yet; `newest_ms` is the newest mirrored one's."""
        if self.source_end is None or mirrored_to is None:
            return None
        return self._clock.seconds(self.source_end, mirrored_to, now, newest_ms)
