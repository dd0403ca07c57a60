"""Which topics a flow takes, and their mirrors' names."""

from __future__ import annotations

import pytest

from engine.config.flow_section import FlowConfig
from engine.kafka.metadata import TopicMetadata
from engine.replication.topics.selection import TopicSelector


def selector(include: list[str] | None = None, exclude: list[str] | None = None) -> TopicSelector:
    """Build a selector as the configuration file would."""
    topics = {"include": include or [".*"], "exclude": exclude or []}
    flow = {"source": "east", "target": "west", "topics": topics}
    return TopicSelector(FlowConfig.model_validate(flow))


def topic(name: str, *, internal: bool = False) -> TopicMetadata:
    """Describe a topic."""
    return TopicMetadata(name, internal, 0, {})


@pytest.mark.parametrize(
    ("include", "exclude", "taken", "left"),
    [
        ([".*"], [], ["orders", "a.b", "x-1", "inter.nal", "internal"], []),
        (["orders"], [], ["orders"], ["orders2", "my-orders", "Orders"]),
        ([r"orders\..*"], [r".*\.tmp"], ["orders.eu"], ["orders", "orders.eu.tmp", "ordersXeu"]),
        (["a|b"], [], ["a", "b"], ["ab", "ac"]),
        (["a.*", "b"], ["ab", "ac"], ["a", "ad", "b"], ["ab", "ac", "bb"]),
        (["orders"], [".*"], [], ["orders"]),
    ],
)
def test_regexes_match_whole_names_and_exclude_wins(
    include: list[str], exclude: list[str], taken: list[str], left: list[str]
) -> None:
    chosen = selector(include, exclude).select(topic(name) for name in [*taken, *left])
    assert list(chosen) == taken
    assert all(metadata.name == name for name, metadata in chosen.items())


INTERNAL = [
    "__consumer_offsets",
    "__transaction_state",
    "_schemas",
    "_confluent-metrics",
    "ccr.east-to-west.internal",
    "mm2-offset-syncs.west.internal",
    "connect-internal",
    "orders.replica",
]


@pytest.mark.parametrize("name", INTERNAL)
def test_internal_topics_are_taken_only_when_named(name: str) -> None:
    assert not selector([".*"]).selects(topic(name))
    assert not selector([name[0] + ".*", ".*" + name[1:]]).selects(topic(name))
    assert selector([".*", name]).selects(topic(name))
    assert not selector([name], [name]).selects(topic(name))


def test_a_name_whose_dots_are_escaped_names_it_too() -> None:
    escaped = selector([r"connect\-status\.internal"])
    assert escaped.selects(topic("connect-status.internal"))
    assert not escaped.selects(topic("connect-statusXinternal"))


def test_what_the_source_says_is_internal_is() -> None:
    assert not selector(["audit.*"]).selects(topic("audit", internal=True))
    assert selector(["audit"]).selects(topic("audit", internal=True))


@pytest.mark.parametrize(
    ("rename", "name"), [("identity", "orders.eu"), ("prefix", "east.orders.eu")]
)
def test_mirrors_are_named_by_the_flows_policy(rename: str, name: str) -> None:
    flow = FlowConfig.model_validate({"source": "east", "target": "west", "rename": rename})
    assert TopicSelector(flow).target_name("orders.eu") == name
