"""How a batch says that a flow of ccr wrote it: its producer epoch.

A producer id is unique within the cluster that gave it, and a flow appends with its own, so the id
says which flow. That it is a flow's at all is said by the epoch: brokers take any for a new
producer, and keep it with the batch through compaction and recompression. So no batch has to be
held until the flows of its cluster were asked for, and what a flow wrote is known for that as long
as it exists, whatever became of the flow's state topic.

Idempotent producers begin at 0 and count up only over fatal errors. Transactional ones get there
with every transaction (KIP-890); a flow writes none.
"""

from __future__ import annotations

from engine.config.flow_section import FlowConfig, Origin, Rename
from engine.kafka import batch as b

FLOW_EPOCH = 0x6363
_NOT_A_FLOWS = b.TRANSACTIONAL | b.CONTROL

Inbound = dict[int, int]
"""By producer id of each known flow into a cluster: its records that were left out."""


class UnknownOriginError(ValueError):
    """A batch that a flow wrote, and it is not known which."""

    def __init__(self, producer_id: int, offset: int) -> None:
        super().__init__(f"producer id {producer_id} at offset {offset} is no known flow's")
        self.producer_id = producer_id
        self.offset = offset


def is_a_flows(attributes: int, producer_id: int, producer_epoch: int) -> bool:
    """Whether a batch's header says that a flow wrote it."""
    return producer_epoch == FLOW_EPOCH and producer_id >= 0 and not attributes & _NOT_A_FLOWS


def takes_local_only(config: FlowConfig) -> bool:
    """Whether a flow leaves out what other flows mirrored into its source."""
    return config.origin == Origin.LOCAL and config.rename == Rename.IDENTITY
