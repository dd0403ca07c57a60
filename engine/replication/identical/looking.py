"""What aligning would take, looked up beforehand; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from engine.api.offsets_snapshots import AlignmentPreview, PartitionAlignment
from engine.config.flow_section import FlowConfig
from engine.kafka.cluster import LATEST, Cluster
from engine.kafka.metadata import ClusterMetadata
from engine.replication.identical.cost import alignment_cost, total_cost
from engine.replication.positions import StartPolicy
from engine.replication.state_records import FlowRecord
from engine.replication.topics.sizes import offsets


async def preview_alignment(
    config: FlowConfig,
    clusters: tuple[Cluster, Cluster],
    mirrors: Mapping[str, str],
    source: ClusterMetadata,
    record: FlowRecord,
) -> AlignmentPreview:
    """Look up where partitions would begin that were never mirrored; `mirrors` are by source topic.

    Raises ConnectError and KafkaError.
    """
    keys = [
        (topic, number)
        for topic in mirrors
        for number in source.topics[topic].partitions
        if (topic, number) not in record.checkpoints
    ]
    policy = StartPolicy(config, *clusters)
    starts, _ = await policy.starts(keys, source, first_time=not record.checkpoints)
    wanted = {mirrors[topic] for topic, _ in starts}
    target = await clusters[1].metadata(wanted)
    there = [name for name in wanted if name in target.topics]
    ends = await offsets(clusters[1], there, LATEST, target)
    rows = []
    not_fresh = 0
    for (topic, number), start in sorted(starts.items()):
        end = ends.get((mirrors[topic], number), 0)
        if end and end != start:
            not_fresh += 1
        elif start and not end:
            cost = alignment_cost(start)
            rows.append(PartitionAlignment(topic, number, start, cost.size_bytes, cost.seconds))
    total = total_cost(row.start for row in rows)
    return AlignmentPreview(tuple(rows), total.size_bytes, total.seconds, not_fresh)
