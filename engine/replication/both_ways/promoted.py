"""Mirrors that another flow had until they were promoted: nobody mirrors into them from there.

The promotion stands in that flow's state topic, on the target. A flow of another name, on another
host or in another configuration, that reads the same cluster into the same topics would mirror the
old primary into the new one all the same.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable

from engine.errors import KafkaError
from engine.replication.both_ways.inbound import InboundFlow
from engine.replication.sync.syncer import SyncContext


def refuse_promoted(
    context: SyncContext, source_id: str, into_target: Iterable[InboundFlow]
) -> None:
    """Raise KafkaError where a topic of the flow was promoted as another flow's mirror.

    `source_id` is Kafka's own id of the source, `into_target` what the target's state topics say.
    Retriable: a promotion is withdrawn by the switch home.
    """
    renames = context.config.rename != "identity"
    ours = {topic for topic, _ in context.board.partitions}
    for other in into_target:
        same = other.source_id == source_id and other.renames == renames
        shared = other.topics & ours
        if other.name != context.flow and same and shared and other.promotion is not None:
            when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(other.promotion.at))
            raise KafkaError(
                "mirroring into",
                f"{_named(shared)} on cluster {context.target.name}",
                f"flow {other.name} mirrored that from {context.source.name} until it was "
                f"promoted, by run {other.promotion.run} at {when}",
                f"Remove flow {context.flow}, or lead {other.name} home (docs/runbooks.md)",
                retriable=True,
            )


def _named(topics: Collection[str]) -> str:
    first = min(topics)
    return f"topic {first}" if len(topics) == 1 else f"{len(topics):,} topics ({first} is one)"
