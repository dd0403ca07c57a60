"""What a comparison found, and how it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.demo.classify import Kind
from engine.demo.reading import Record

SHOWN_KEY_BYTES = 40


@dataclass(frozen=True, slots=True)
class Example:
    """One record that is not as it should be."""

    kind: Kind
    topic: str
    target_topic: str
    partition: int
    source_offset: int | None
    target_offset: int | None
    what: str

    def __str__(self) -> str:
        name = (
            self.topic if self.topic == self.target_topic else f"{self.topic}→{self.target_topic}"
        )
        source = "none" if self.source_offset is None else self.source_offset
        target = "none" if self.target_offset is None else self.target_offset
        return (
            f"{self.kind} {name}/{self.partition} "
            f"(source offset {source}, target offset {target}): {self.what}"
        )


@dataclass(slots=True)
class Comparison:
    """What came of it. `examples` holds the first few of each kind in each partition."""

    partitions: int = 0
    source_records: int = 0
    target_records: int = 0
    seconds: float = 0.0
    counts: Counter[Kind] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Source records that the target does not have."""
        return self.counts[Kind.LOST]

    @property
    def duplicated(self) -> int:
        """Target records over and above the source's own number of the same content."""
        return self.counts[Kind.DUPLICATED]

    @property
    def reordered(self) -> int:
        """The fewest records that must have moved within their partition."""
        return self.counts[Kind.REORDERED]

    @property
    def mismatched(self) -> int:
        """Target records that differ from the source's in their place, or replace nothing."""
        return self.counts[Kind.MISMATCHED]

    @property
    def identical(self) -> bool:
        """Whether every record is there once, unaltered and in order."""
        return not self.counts.total() and self.source_records == self.target_records

    @property
    def records_per_second(self) -> float:
        """Pairs of records compared in a second."""
        return self.source_records / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        head = (
            f"{self.source_records:,} source and {self.target_records:,} target records in "
            f"{self.partitions} partitions: {self.lost:,} lost, {self.duplicated:,} duplicated, "
            f"{self.reordered:,} reordered, {self.mismatched:,} mismatched"
        )
        return "\n".join([head, *(f"  {example}" for example in self.examples)])


def what_happened(kind: Kind, source: Record | None, target: Record | None) -> str:
    """Say what is wrong with one record. Values are never shown, only their sizes."""
    record = source or target
    if record is None:
        return "it is no longer there to look at"
    key = f"key {_shown(record.key)}"
    if kind is Kind.LOST:
        return f"{key}, value of {_size(record.value)}, is not in the target"
    if kind is Kind.DUPLICATED:
        return f"{key} is in the target more often than in the source"
    if kind is Kind.REORDERED:
        return f"{key} is not in the source's order"
    if source is None or target is None:
        return f"{key}, value of {_size(record.value)}, is not in the source"
    return "; ".join(_changes(source, target)) or "the same now: it changed while it was compared"


def _changes(source: Record, target: Record) -> Iterator[str]:
    if source.key != target.key:
        yield f"key {_shown(source.key)} became {_shown(target.key)}"
    if source.value != target.value:
        yield _value_change(source.value, target.value)
    if source.headers != target.headers:
        yield f"headers {_names(source)} became {_names(target)}"
    if source.timestamp != target.timestamp:
        yield f"timestamp {source.timestamp} became {target.timestamp}"


def _value_change(source: bytes | None, target: bytes | None) -> str:
    change = f"value of {_size(source)} became {_size(target)}"
    if source is None or target is None:
        return change
    differing = (at for at, (a, b) in enumerate(zip(source, target, strict=False)) if a != b)
    shorter = min(len(source), len(target))
    return f"{change}, different from byte {next(differing, shorter)} on"


def _names(record: Record) -> str:
    """Name the headers with the sizes of their values."""
    return "[" + ", ".join(f"{name} ({_size(value)})" for name, value in record.headers) + "]"


def _shown(key: bytes | None) -> str:
    if key is None:
        return "null"
    text = ascii(key[:SHOWN_KEY_BYTES])[1:]
    return text if len(key) <= SHOWN_KEY_BYTES else f"{text}…"


def _size(field: bytes | None) -> str:
    return "null" if field is None else f"{len(field)} B"
