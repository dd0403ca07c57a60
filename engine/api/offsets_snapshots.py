"""Whether mirrored records have their sources' very offsets (`offsets: identical`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OffsetsState(StrEnum):
    """How a mirror partition's offsets are to its source's."""

    IDENTICAL = "identical"
    ALIGNING = "aligning"  # the mirror is being made to begin where its source does
    DIFFERS = "differs"  # from some offset on, for good


@dataclass(frozen=True, slots=True)
class OffsetsSnapshot:
    """One partition's."""

    state: OffsetsState
    since: int | None = None  # the first source offset that is another one on the target
    because: str = ""  # of ALIGNING: how far it is

    def __str__(self) -> str:
        """Say it in one line."""
        if self.since is None:
            return f"{self.state}: {self.because}" if self.because else str(self.state)
        return f"{self.state} since {self.since} because {self.because}"


@dataclass(frozen=True, slots=True)
class PartitionAlignment:
    """A partition whose mirror is going to be aligned, and what that costs."""

    topic: str
    partition: int
    start: int  # the offset at which the mirror will begin
    size_bytes: int  # over the network, and for a while on each replica's disk
    seconds: float  # about


@dataclass(frozen=True, slots=True)
class AlignmentPreview:
    """All of them, several at a time."""

    partitions: tuple[PartitionAlignment, ...]
    size_bytes: int
    seconds: float  # about
    not_fresh: int  # partitions whose mirrors hold something already: their offsets will differ


@dataclass(frozen=True, slots=True)
class OffsetsTotals:
    """A flow's partitions, counted."""

    identical: int
    aligning: int
    differs: int

    def __str__(self) -> str:
        """Say it in one line."""
        parts = [f"{self.identical} identical"]
        parts += [f"{self.aligning} being aligned"] if self.aligning else []
        parts += [f"{self.differs} differ (ccr lag)"] if self.differs else []
        return ", ".join(parts)
