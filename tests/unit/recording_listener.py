"""What a partition told its flow."""

from __future__ import annotations

from engine.replication.partition import MirrorPartition
from engine.replication.troubles import Trouble


class RecordingListener:
    """Keeps all that a partition tells; `held` adds up what it says to hold."""

    def __init__(self) -> None:
        self.held = 0
        self.changes = 0
        self.work = 0
        self.acknowledged = 0
        self.resyncs: list[bool] = []  # of each: whether a sequence was refused
        self.troubles: list[Trouble] = []
        self.strangers: list[tuple[int, int]] = []

    def changed(self, partition: MirrorPartition) -> None:
        self.changes += 1

    def has_work(self, partition: MirrorPartition) -> None:
        assert partition.queue
        self.work += 1

    def holds(self, partition: MirrorPartition, delta: int) -> None:
        self.held += delta

    def released(self, partition: MirrorPartition) -> None:
        self.acknowledged += 1

    def needs_resync(self, partition: MirrorPartition, sequence_refused: bool) -> None:
        self.resyncs.append(sequence_refused)

    def troubled(self, partition: MirrorPartition, trouble: Trouble) -> None:
        assert partition.idle
        self.troubles.append(trouble)

    def stranger_wrote(self, partition: MirrorPartition, expected: int, actual: int) -> None:
        self.strangers.append((expected, actual))
