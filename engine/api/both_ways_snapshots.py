"""What is shown of flows that mirror the same topics both ways, or in a mesh."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InboundFlowSnapshot:
    """A flow that writes into this flow's source."""

    name: str
    source: str  # the cluster that it reads, as its configuration calls it; "" while not known
    back: bool  # it reads this flow's target: the two mirror both ways
    left_out_records: int  # its records, since this engine owns the flow; read again, counted again


@dataclass(frozen=True, slots=True)
class KeyWrite:
    """One of two writes of a key."""

    origin: str  # the cluster that it was first written on
    offset: int  # on the target
    at: float  # the record's timestamp


@dataclass(frozen=True, slots=True)
class ConflictSample:
    """A key that was written on two clusters within the window."""

    partition: int
    key: str  # cut off
    before: KeyWrite  # the one that stands first on the target
    behind: KeyWrite


@dataclass(frozen=True, slots=True)
class TopicConflicts:
    """One topic's conflicts; `topic` is its name on the target."""

    topic: str
    conflicts: int
    samples: tuple[ConflictSample, ...]  # the newest, newest last


@dataclass(frozen=True, slots=True)
class ConflictsSnapshot:
    """What looking for conflicts has found since this engine owns the flow.

    Both writes stand on both clusters, each in another order: ccr shows that, it does not choose.
    """

    window_seconds: float
    records: int  # looked at
    skipped: int  # offsets that were not looked at: there were too many to keep up
    conflicts: int
    topics: tuple[TopicConflicts, ...]  # most conflicts first
