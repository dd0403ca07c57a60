"""Looking at sections that no flow runs with."""

from __future__ import annotations

import pytest

from engine.config.cluster_section import ClusterConfig
from engine.config.flow_section import FlowConfig
from engine.errors import RefusedError
from engine.kafka.cluster import Cluster
from engine.kafka.metadata import ClusterMetadata, TopicMetadata
from engine.replication.topics.candidates import Candidates


class Listed(Cluster):
    """A cluster that only lists its topics, and counts how often."""

    def __init__(self, name: str, *topics: str) -> None:
        super().__init__(name, ClusterConfig(bootstrap_servers=["nowhere:1"]))
        self.asked = 0
        self._topics = {
            topic: TopicMetadata(topic, internal=False, error=0, partitions={}) for topic in topics
        }

    async def metadata(self, *_: object, **__: object) -> ClusterMetadata:  # type: ignore[override]
        self.asked += 1
        return ClusterMetadata("id", 0, topics=self._topics)


def section(include: str, **settings: object) -> FlowConfig:
    given = {"source": "east", "target": "west", "topics": {"include": [include]}, **settings}
    return FlowConfig.model_validate(given)


async def test_regexes_that_are_typed_list_the_source_once() -> None:
    clusters = {"east": Listed("east", "orders", "payments"), "west": Listed("west")}
    candidates = Candidates()
    taken = []
    for include in ("o", "or.*", ".*"):
        previewer = candidates.previewer("new", section(include), clusters, None)
        taken.append((await previewer.select(None)).taken)
    assert taken == [0, 1, 2]
    assert clusters["east"].asked == 1


async def test_names_go_by_the_section() -> None:
    clusters = {"east": Listed("east", "orders"), "west": Listed("west")}
    previewer = Candidates().previewer("new", section(".*", rename="prefix"), clusters, None)
    selection = await previewer.select(None)
    assert (selection.flow, selection.prefix) == ("new", "east.")


async def test_a_cluster_that_was_replaced_is_listed_anew() -> None:
    first = {"east": Listed("east", "orders"), "west": Listed("west")}
    second = {"east": Listed("east", "orders", "new"), "west": first["west"]}
    candidates = Candidates()
    await candidates.previewer("new", section(".*"), first, None).select(None)
    selection = await candidates.previewer("new", section(".*"), second, None).select(None)
    assert selection.taken == 2


def test_a_cluster_that_the_engine_does_not_have() -> None:
    clusters = {"east": Listed("east")}
    with pytest.raises(RefusedError, match="west") as refused:
        Candidates().previewer("new", section(".*"), clusters, None)
    assert refused.value.next_step == "Save the cluster first"
