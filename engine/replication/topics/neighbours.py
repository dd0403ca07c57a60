"""Other flows of the same configuration that write to the same topics."""

from __future__ import annotations

from collections.abc import Mapping

from engine.config.flow_section import FlowConfig
from engine.errors import CcrError
from engine.kafka.cluster import Cluster
from engine.replication.topics.selection import TopicSelector


async def written_by_others(
    flow: str, target: str, flows: Mapping[str, FlowConfig], clusters: Mapping[str, Cluster]
) -> tuple[dict[str, str], list[str]]:
    """Return topics of the flow's `target` with the other flow that writes each.

    And in sentences which flows could not be looked at.
    """
    written: dict[str, str] = {}
    notes = []
    for name, other in flows.items():
        if name == flow or other.target != target:
            continue
        selector = TopicSelector(other)
        try:
            source = await clusters[other.source].metadata()
            selected = await selector.select(source.topics.values())
        except CcrError as error:
            notes.append(f"what flow {name} writes is not known: {error}")
            continue
        written |= {selector.target_name(topic): name for topic in selected}
    return written, notes
