"""A partition that no running flow listens to: what it tells is kept for who drives it."""

from __future__ import annotations

from engine.replication.partition import MirrorPartition
from engine.replication.troubles import Trouble


class Unheard:
    """A `partition.Listener`."""

    def __init__(self) -> None:
        self.trouble: Trouble | None = None

    def changed(self, partition: MirrorPartition) -> None:
        """Progress or state changed."""

    def has_work(self, partition: MirrorPartition) -> None:
        """An append was queued."""

    def holds(self, partition: MirrorPartition, delta: int) -> None:
        """The bytes it holds changed."""

    def released(self, partition: MirrorPartition) -> None:
        """An append was acknowledged."""

    def needs_resync(self, partition: MirrorPartition, sequence_refused: bool) -> None:
        """It waits: who drives it looks at the target again."""

    def troubled(self, partition: MirrorPartition, trouble: Trouble) -> None:
        """It cannot go on by itself."""
        self.trouble = trouble

    def stranger_wrote(self, partition: MirrorPartition, expected: int, actual: int) -> None:
        """Others write to a promoted topic by right."""
