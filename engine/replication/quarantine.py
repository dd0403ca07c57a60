"""The quarantine topic: what could not be mirrored, with its bytes, its position and the reason.

Topic `ccr.<flow>.quarantine.internal` on the target. A record stands there with its own key, value
and headers; a batch that cannot be read stands there as it came from the source's broker. Both with
headers `ccr.*` that say what, where from and why. A crash right after a write may repeat it: source
topic, partition and offset tell.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.api.names import quarantine_topic
from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka.cluster import Cluster
from engine.replication import internal_topic

MAX_MESSAGE_BYTES = 128 * 1024 * 1024
TOPIC_CONFIGS = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "max.message.bytes": str(MAX_MESSAGE_BYTES),
}
NEXT_STEP = "Make it possible to write there, or set on_poison: stop"
_NO_PRODUCER = (b.NO_PRODUCER_ID, -1, -1)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What is put there."""

    topic: str
    partition: int
    first: int  # source offset
    end: int  # behind it
    reason: str
    record: r.RawRecord | None = None
    batch: bytes = b""  # when there is no single record
    more: Mapping[str, str] = field(default_factory=dict)  # headers


class Quarantine:
    """Writes to a flow's quarantine topic, which it creates when it is first needed."""

    def __init__(self, flow: str, cluster: Cluster) -> None:
        self.topic = quarantine_topic(flow)
        self._flow = flow
        self._cluster = cluster

    async def put(self, found: Quarantined) -> int:
        """Write it down; return at which offset. Raises ConnectError, KafkaError."""
        node = await internal_topic.ensure(self._cluster, self.topic, TOPIC_CONFIGS)
        connection = await self._cluster.data_connection(node)
        try:
            now = int(time.time() * 1000)
            row = r.RawRecord(0, now, 0, body_of(self._flow, found))
            batch = r.encode([row], 0, _NO_PRODUCER)
            return await internal_topic.append(connection, self.topic, batch, NEXT_STEP)
        finally:
            connection.abort("done")


def body_of(flow: str, found: Quarantined) -> memoryview:
    """Return the record that says all of it, from its key's length on."""
    headers = {
        "ccr.flow": flow,
        "ccr.kind": "batch" if found.record is None else "record",
        "ccr.source.topic": found.topic,
        "ccr.source.partition": str(found.partition),
        "ccr.source.offset": str(found.first),
        "ccr.source.next_offset": str(found.end),
        "ccr.reason": found.reason,
        **found.more,
    }
    rows = [(name, value.encode()) for name, value in headers.items()]
    if found.record is None:
        return r.body(None, found.batch, rows)
    key, value, own = r.contents(found.record)
    rows.append(("ccr.source.timestamp", str(found.record.timestamp).encode()))
    return r.body(key, value, [*own, *rows])
