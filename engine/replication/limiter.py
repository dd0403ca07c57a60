"""A flow's rate limits: one over all of it, and one for each topic that a rule names.

Token buckets in debt: what was fetched is charged when it has arrived, and nothing more is asked
for until the debt is worked off. So the rate holds over time whatever the size of batches; how far
it swings meanwhile is bounded by the size of one fetch (`fetch_bytes`, `partition_bytes`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from engine.config.matching import Pattern, TooSlowError

BURST_S = 0.1  # so much of a rate that was not used may be used later
MATCH_S = 0.02  # a rule that takes longer on a topic's name is passed over from then on
FETCH_S = 0.1  # one round of fetches, at all source brokers together, asks for so much of a rate
LEAST_FETCH_BYTES = 4 * 1024


class Bucket:
    """One rate."""

    __slots__ = ("_at", "_level", "rate")

    def __init__(self, rate: int, now: float) -> None:
        self.rate = rate
        self._level = rate * BURST_S
        self._at = now

    def wait(self, now: float) -> float:
        """Return the seconds until more may be asked for; 0.0 is at once."""
        self._level = min(self._level + (now - self._at) * self.rate, self.rate * BURST_S)
        self._at = now
        return 0.0 if self._level > 0 else (1 - self._level) / self.rate

    def take(self, size: int, now: float) -> None:
        """Charge bytes that have arrived."""
        self.wait(now)
        self._level -= size


class Limiter:
    """Bytes a second, changeable while running; None is no limit.

    `topics` are regexes (whole source names) with the rate that each matching topic has for
    itself; the first that matches counts.
    """

    def __init__(
        self, bytes_per_second: int | None, topics: Mapping[str, int] | None = None
    ) -> None:
        self.on_trouble: Callable[[TooSlowError], None] = lambda error: None
        """Called once for each rule that is passed over."""
        self.set_topics(topics or {})
        self._flow: Bucket | None = None
        self.bytes_per_second = bytes_per_second
        self.sharers = 1  # fetchers at work

    @property
    def bytes_per_second(self) -> int | None:
        """The present limit over the whole flow."""
        return self._flow.rate if self._flow else None

    @bytes_per_second.setter
    def bytes_per_second(self, value: int | None) -> None:
        self._flow = None if value is None else Bucket(value, time.monotonic())

    @property
    def topic_rates(self) -> Mapping[str, int | None]:
        """The topics' rules in the order in which they are tried; None is no limit."""
        return self._topic_rates

    def set_topics(self, topics: Mapping[str, int]) -> None:
        """Replace all of the topics' rules; their regexes were checked before."""
        self._topic_rates: dict[str, int | None] = dict(topics)
        self._patterns = {rule: Pattern(rule) for rule in topics}
        self._of_topic: dict[str, Bucket | None] = {}

    @property
    def limits(self) -> bool:
        """Whether there is any limit."""
        return self._flow is not None or bool(self._topic_rates)

    def limit_topics(self, pattern: str, bytes_per_second: int | None) -> bool:
        """Put a rule before all others; return whether that changed anything.

        Raises ValueError.
        """
        compiled = Pattern(pattern)
        first = next(iter(self._topic_rates.items()), None)
        if first == (pattern, bytes_per_second):
            return False
        others = {key: rate for key, rate in self._topic_rates.items() if key != pattern}
        if bytes_per_second is None and not others:
            changed = bool(self._topic_rates)
            self._topic_rates = {}
        else:
            changed = True
            self._topic_rates = {pattern: bytes_per_second, **others}
            self._patterns[pattern] = compiled
        self._of_topic.clear()
        return changed

    def flow_wait(self) -> float:
        """Return the seconds until the flow may fetch again."""
        return self._flow.wait(time.monotonic()) if self._flow else 0.0

    def topic_wait(self, topic: str) -> float:
        """Return the seconds until a topic may be fetched again, the flow's limit apart."""
        bucket = self._bucket(topic)
        return bucket.wait(time.monotonic()) if bucket else 0.0

    def took(self, topic: str, size: int) -> None:
        """Charge what was fetched of a topic."""
        now = time.monotonic()
        bucket = self._bucket(topic)
        for each in (self._flow, bucket):
            if each is not None:
                each.take(size, now)

    def fetch_bytes(self, most: int) -> int:
        """Return how much one fetch may ask for, at most `most`."""
        return self._share(self._flow, 1, most)

    def partition_bytes(self, topic: str, partitions: int, most: int) -> int:
        """Return how much to ask for of each of a topic's `partitions` in one fetch."""
        return self._share(self._bucket(topic), partitions, most)

    def _share(self, bucket: Bucket | None, parts: int, most: int) -> int:
        if bucket is None:
            return most
        share = int(bucket.rate * FETCH_S) // (self.sharers * parts)
        return min(most, max(share, LEAST_FETCH_BYTES))

    def _bucket(self, topic: str) -> Bucket | None:
        if not self._topic_rates:
            return None
        if topic not in self._of_topic:
            rates = self._topic_rates.items()
            rate = next((rate for rule, rate in rates if self._applies(rule, topic)), None)
            self._of_topic[topic] = None if rate is None else Bucket(rate, time.monotonic())
        return self._of_topic[topic]

    def _applies(self, rule: str, topic: str) -> bool:
        pattern = self._patterns.get(rule)
        try:
            return pattern is not None and pattern.matches(topic, MATCH_S)
        except TooSlowError as error:
            del self._patterns[rule]
            self.on_trouble(error)
            return False
