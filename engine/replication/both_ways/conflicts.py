"""Keys that are written on two clusters at about the same time."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from engine.api.both_ways_snapshots import ConflictSample, KeyWrite, TopicConflicts
from engine.kafka.fetch import TopicPartition

KEYS = 50_000  # remembered over all partitions, those that were written last; up to 25 MB
SAMPLES = 5  # of a topic
TOPICS = 20  # shown
SHOWN_BYTES = 40


@dataclass(slots=True)
class _Found:
    conflicts: int = 0
    samples: deque[ConflictSample] = field(default_factory=lambda: deque(maxlen=SAMPLES))


class Conflicts:
    """The last write of each key by each origin, of as many keys as fit.

    A write is a conflict when another origin's last one of its key is no further away than the
    window, by the records' timestamps: those of one origin may come late.
    """

    def __init__(self, window_seconds: float, keys: int = KEYS) -> None:
        self._window_ms = window_seconds * 1000
        self._most_keys = keys
        self._last: OrderedDict[int, list[tuple[str, int, int]]] = OrderedDict()
        self._found: dict[str, _Found] = {}

    def note(
        self, partition: TopicPartition, key: bytes, origin: str, timestamp_ms: int, offset: int
    ) -> ConflictSample | None:
        """Take in a write, in the order of the target's log; return the conflict that it makes."""
        place = hash((partition, key))
        writes = self._last.get(place)
        if writes is None:
            self._last[place] = [(origin, timestamp_ms, offset)]
            if len(self._last) > self._most_keys:
                self._last.popitem(last=False)
            return None
        self._last.move_to_end(place)
        others = [write for write in writes if write[0] != origin]
        self._last[place] = [*others, (origin, timestamp_ms, offset)]
        near = [write for write in others if abs(write[1] - timestamp_ms) <= self._window_ms]
        if not near:
            return None
        before = max(near, key=lambda write: write[2])
        sample = ConflictSample(
            partition[1],
            _shown(key),
            KeyWrite(before[0], before[2], before[1] / 1000),
            KeyWrite(origin, offset, timestamp_ms / 1000),
        )
        found = self._found.setdefault(partition[0], _Found())
        found.conflicts += 1
        found.samples.append(sample)
        return sample

    @property
    def total(self) -> int:
        """Conflicts so far."""
        return sum(found.conflicts for found in self._found.values())

    def topics(self) -> tuple[TopicConflicts, ...]:
        """Return those with the most conflicts, the most first."""
        rows = [
            TopicConflicts(topic, found.conflicts, tuple(found.samples))
            for topic, found in self._found.items()
        ]
        return tuple(sorted(rows, key=lambda row: -row.conflicts)[:TOPICS])


def _shown(key: bytes) -> str:
    more = f"… ({len(key)} bytes)" if len(key) > SHOWN_BYTES else ""
    return repr(key[:SHOWN_BYTES])[1:] + more
