"""How MirrorMaker 2's topics are named, and which of them a flow mirrors."""

from __future__ import annotations

from typing import Any

import pytest

from engine.api.preview_snapshots import Rule
from engine.config.flow_section import FlowConfig
from engine.kafka.metadata import TopicMetadata
from engine.replication.sync.mm2 import names
from engine.replication.topics.selection import TopicSelector

HEARTBEATS = ["heartbeats", "B.heartbeats", "A.heartbeats", "x.heartbeats"]


def flow(**settings: Any) -> FlowConfig:
    """A flow's section as the file has it."""
    return FlowConfig.model_validate({"source": "A", "target": "B", **settings})


@pytest.mark.parametrize(
    ("mm2", "on_source", "on_target"),
    [
        ({}, [], []),
        ({"heartbeats": "target"}, [], ["heartbeats"]),
        ({"heartbeats": "both"}, ["heartbeats"], ["heartbeats"]),
        ({"checkpoints": True}, [], ["A.checkpoints.internal"]),
        ({"offset_syncs": "source"}, ["mm2-offset-syncs.B.internal"], []),
        ({"offset_syncs": "target"}, [], ["mm2-offset-syncs.A.internal"]),
    ],
)
@pytest.mark.parametrize("rename", ["identity", "prefix"])
def test_names_are_those_of_both_policies(
    rename: str, mm2: dict[str, Any], on_source: list[str], on_target: list[str]
) -> None:
    section = flow(rename=rename, mm2=mm2)
    assert names.written_on_source(section) == on_source
    assert names.written_on_target(section) == on_target


@pytest.mark.parametrize(
    ("rename", "mm2", "mirrors"),
    [
        ("identity", {}, {name: name for name in HEARTBEATS}),
        ("prefix", {}, {n: f"A.{n}" for n in HEARTBEATS if n != "B.heartbeats"}),
        (
            "identity",
            {"heartbeats": "target"},
            {"heartbeats": "A.heartbeats", "x.heartbeats": "x.heartbeats"},
        ),
    ],
)
async def test_heartbeats_get_the_sources_name_where_they_are_on(
    rename: str, mm2: dict[str, Any], mirrors: dict[str, str]
) -> None:
    selector = TopicSelector(flow(rename=rename, mm2=mm2))
    taken = await selector.select(TopicMetadata(name, False, 0, {}) for name in HEARTBEATS)
    assert {name: selector.target_name(name) for name in taken} == mirrors


@pytest.mark.parametrize("rename", ["identity", "prefix"])
async def test_heartbeats_are_taken_whatever_the_regexes_say(rename: str) -> None:
    topics = {"include": ["orders"], "exclude": ["heart.*"]}
    selector = TopicSelector(flow(rename=rename, mm2={"heartbeats": "both"}, topics=topics))
    found = TopicMetadata("heartbeats", False, 0, {})
    assert (await selector.decide([found]))["heartbeats"].rule == Rule.HEARTBEATS
    assert selector.target_name("heartbeats") == "A.heartbeats"
    without = TopicSelector(flow(rename=rename, topics=topics))
    assert not (await without.decide([found]))["heartbeats"].taken


@pytest.mark.parametrize(
    "name",
    ["A.checkpoints.internal", "mm2-offset-syncs.A.internal", "mm2-offsets.A.internal"],
)
async def test_the_others_are_never_mirrored_unless_named(name: str) -> None:
    topic = TopicMetadata(name, False, 0, {})
    assert not await TopicSelector(flow(mm2={"heartbeats": "both"})).select([topic])
    assert await TopicSelector(flow(topics={"include": [name]})).select([topic])
