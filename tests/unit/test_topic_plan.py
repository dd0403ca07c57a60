"""What is planned for mirrors: configs compared three ways, conflicts, and what acts on it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.preview_snapshots import Action, ConflictKind, TopicPlan, ValueFrom
from engine.config.flow_section import FlowConfig
from engine.config.sync_sections import ConfigsConfig
from engine.errors import KafkaError
from engine.kafka.metadata import ClusterMetadata, PartitionMetadata, TopicMetadata
from engine.kafka.topic_configs import TopicConfig
from engine.replication.topics.config_rules import NEVER_COPIED, ConfigRules, Differences
from engine.replication.topics.plan import Facts, Planner, config_changes, new_topic

DEFAULTS = {
    "cleanup.policy": "delete",
    "max.message.bytes": "1048588",
    "min.insync.replicas": "1",
    "retention.ms": "604800000",
    "segment.ms": "604800000",
}
NAMES = ("retention.ms", "segment.ms", "cleanup.policy")
VALUES = st.sampled_from(["1", "2", "3"])
CONFIGS = st.dictionaries(st.sampled_from(NAMES), VALUES)


def own(values: dict[str, str]) -> TopicConfig:
    """Describe a topic that has these values set on itself."""
    return TopicConfig({**DEFAULTS, **values}, frozenset(values))


def rules(**section: Any) -> ConfigRules:
    return ConfigRules(ConfigsConfig.model_validate(section))


def compare(
    source: dict[str, str],
    mirror: dict[str, str],
    agreed: dict[str, str],
    *,
    replicas: int = 3,
    **section: Any,
) -> Differences:
    with_rules = rules(**section)
    wanted = with_rules.wanted("orders", own(source), replicas, DEFAULTS)
    return with_rules.differences(wanted, mirror, agreed)


def after(mirror: dict[str, str], found: Differences) -> dict[str, str]:
    """Carry changes out."""
    result = dict(mirror)
    for change in found.changes:
        assert result.get(change.name) == change.before
        result.pop(change.name, None)
        if change.after is not None:
            result[change.name] = change.after
    return result


@given(CONFIGS, CONFIGS)
def test_a_mirror_that_nobody_else_touches_becomes_as_its_source(
    first: dict[str, str], then: dict[str, str]
) -> None:
    found = compare(first, {}, {})
    mirror = after({}, found)
    assert mirror == first == found.agreed
    changed = compare(then, mirror, found.agreed)
    assert after(mirror, changed) == then == changed.agreed
    assert not changed.kept
    again = compare(then, then, changed.agreed)
    assert not again.changes


@given(CONFIGS, CONFIGS, CONFIGS)
def test_what_somebody_changed_on_the_mirror_is_never_touched(
    agreed: dict[str, str], source: dict[str, str], mirror: dict[str, str]
) -> None:
    found = compare(source, mirror, agreed)
    result = after(mirror, found)
    for name in NAMES:
        if mirror.get(name) != agreed.get(name):
            assert result.get(name) == mirror.get(name)
        else:
            assert result.get(name) == source.get(name)
    differing = {name for name in NAMES if result.get(name) != source.get(name)}
    assert {kept.name for kept in found.kept} == differing, "and all that differs is told"
    again = compare(source, result, found.agreed)
    assert not again.changes, "nor in the next round"
    assert again.kept == found.kept


@given(CONFIGS, CONFIGS, CONFIGS)
def test_overwriting_makes_it_as_its_source_whatever_was(
    agreed: dict[str, str], source: dict[str, str], mirror: dict[str, str]
) -> None:
    found = compare(source, mirror, agreed, overwrite=True)
    assert after(mirror, found) == source
    assert not found.kept


@given(CONFIGS, CONFIGS, CONFIGS)
def test_both_ways_two_mirrors_never_undo_each_other(
    east: dict[str, str], west: dict[str, str], changed: dict[str, str]
) -> None:
    """Each is the other's mirror; the flows take turns, then a change on one side is carried over
    where both had agreed, and stays."""
    there, here = {}, {}  # what each flow remembers
    for _ in range(3):
        found = compare(east, west, there)
        west, there = after(west, found), found.agreed
        found = compare(west, east, here)
        east, here = after(east, found), found.agreed
    agreed = {name for name in NAMES if east.get(name) == west.get(name)}
    wanted = {name: changed.get(name) if name in agreed else east.get(name) for name in NAMES}
    east = {name: value for name, value in wanted.items() if value is not None}
    for _ in range(3):
        found = compare(west, east, here)  # the flow that does not know of it comes first
        east, here = after(east, found), found.agreed
        found = compare(east, west, there)
        west, there = after(west, found), found.agreed
    for name in agreed:
        assert east.get(name) == west.get(name) == changed.get(name)


def test_a_pinned_value_is_put_back_and_the_first_that_names_it_counts() -> None:
    pinned = {"ord.*": {"retention.ms": "9"}, ".*": {"retention.ms": "8", "segment.ms": "7"}}
    found = compare({"retention.ms": "1"}, {"retention.ms": "5"}, {}, pinned=pinned)
    assert after({"retention.ms": "5"}, found) == {"retention.ms": "9", "segment.ms": "7"}
    assert {change.origin for change in found.changes} == {ValueFrom.PINNED}
    # Taken out of the configuration, the source counts again.
    unpinned = compare({"retention.ms": "1"}, {"retention.ms": "9"}, found.agreed)
    assert after({"retention.ms": "9"}, unpinned) == {"retention.ms": "1"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("value", [None, "50000"])
def test_a_fence_is_neither_carried_over_nor_taken_off(
    value: str | None, *, overwrite: bool
) -> None:
    """It stands on a source that is switched, which may be another flow's mirror."""
    before = {} if value is None else {"max.message.bytes": value}
    agreed = compare(before, before, {}, overwrite=overwrite).agreed
    assert agreed == before
    fence = {"max.message.bytes": "78"}
    carried = compare(fence | {"retention.ms": "7"}, before, agreed, overwrite=overwrite)
    assert after(before, carried) == before | {"retention.ms": "7"}
    taken_off = compare(before, fence, agreed, overwrite=overwrite)
    assert not taken_off.changes
    assert not taken_off.kept
    for found in (carried, taken_off):  # and once it is lifted both go on from where they were
        lifted = compare({"max.message.bytes": "60000"}, before, found.agreed, overwrite=overwrite)
        assert after(before, lifted) == {"max.message.bytes": "60000"}


def test_what_belongs_to_one_cluster_is_not_copied_unless_pinned() -> None:
    source = dict.fromkeys(NEVER_COPIED, "x")
    everything = dict.fromkeys([*DEFAULTS, *NEVER_COPIED])
    with_rules = rules()
    assert not with_rules.wanted("orders", own(source), 3, everything).values
    name = "unclean.leader.election.enable"
    with_rules = rules(pinned={"orders": {name: "true"}})
    wanted = with_rules.wanted("orders", own(source), 3, everything)
    assert wanted.values == {name: ("true", ValueFrom.PINNED)}


def test_include_and_exclude_choose_configs() -> None:
    section = {"include": [r"retention\..*", r"segment\..*"], "exclude": [r"segment\..*"]}
    source = {"retention.ms": "1", "segment.ms": "2", "cleanup.policy": "compact"}
    mirror = {"segment.ms": "3"}
    assert after(mirror, compare(source, mirror, {}, **section)) == {
        "retention.ms": "1",
        "segment.ms": "3",
    }


@pytest.mark.parametrize(
    ("value", "replicas", "wanted"), [("2", 3, "2"), ("3", 2, "2"), ("2", 1, "1")]
)
def test_min_insync_replicas_is_no_more_than_the_mirror_has(
    value: str, replicas: int, wanted: str
) -> None:
    found = compare({"min.insync.replicas": value}, {}, {}, replicas=replicas)
    assert after({}, found) == {"min.insync.replicas": wanted}


# plans


def cluster(brokers: int = 3, **topics: tuple[int, int]) -> ClusterMetadata:
    """Describe a cluster; a topic has partitions and replicas."""
    described = {
        name.replace("_", "."): TopicMetadata(
            name.replace("_", "."),
            internal=False,
            error=0,
            partitions={n: PartitionMetadata(0, replicas, replicas, 0) for n in range(count)},
            topic_id=UUID(int=1),
        )
        for name, (count, replicas) in topics.items()
    }
    return ClusterMetadata("id", 0, {n: ("host", n) for n in range(brokers)}, described)


def plan(
    source: tuple[int, int] = (2, 3),
    mirror: tuple[int, int] | None = None,
    *,
    source_configs: dict[str, str] | None = None,
    mirror_configs: dict[str, str] | None = None,
    brokers: int = 3,
    facts: dict[str, Any] | None = None,
    **flow: Any,
) -> TopicPlan:
    """Plan one topic called orders."""
    config = FlowConfig.model_validate({"source": "east", "target": "west", **flow})
    target = cluster(brokers, orders=mirror) if mirror else cluster(brokers)
    given: dict[str, Any] = {
        "selected": cluster(orders=source).topics,
        "names": {"orders": "orders"},
        "target": target,
        "source_configs": {"orders": own(source_configs or {})},
        "mirror_configs": {"orders": own(mirror_configs or {})} if mirror else {},
        "unreadable": {},
        "defaults": DEFAULTS,
    }
    return Planner(config).plan(Facts(**given | (facts or {}))).topics["orders"]


def kinds(planned: TopicPlan) -> list[ConflictKind]:
    return [conflict.kind for conflict in planned.conflicts]


def test_a_mirror_is_created_as_its_source_is() -> None:
    planned = plan((2, 3), source_configs={"cleanup.policy": "compact"})
    assert planned.action == Action.CREATE
    topic = new_topic(planned)
    assert (topic.name, topic.partitions, topic.replication_factor) == ("orders", 2, 3)
    assert topic.configs == {"cleanup.policy": "compact"}
    assert not planned.conflicts


def test_an_archive_that_deletes_nothing_loses_nothing_of_a_compacted_source() -> None:
    pinned = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
    compacted = {"cleanup.policy": "compact"}
    kept = plan((2, 3), source_configs=compacted, configs={"pinned": {".*": pinned}})
    assert kinds(kept) == []
    pinned["retention.ms"] = "315360000000"
    forgets = plan((2, 3), source_configs=compacted, configs={"pinned": {".*": pinned}})
    assert kinds(forgets) == [ConflictKind.CLEANUP_POLICY]


def test_one_in_step_needs_nothing_and_a_small_one_grows() -> None:
    assert plan((2, 3), (2, 3)).action == Action.NONE
    grown = plan((4, 3), (2, 3), source_configs={"retention.ms": "1"})
    assert (grown.action, grown.partitions, grown.mirror_partitions) == (Action.GROW, 4, 2)
    assert config_changes(grown) == {"retention.ms": "1"}, "its configs are set as well"
    unsynced = plan((2, 3), (2, 3), source_configs={"retention.ms": "1"}, sync={"configs": False})
    assert unsynced.action == Action.NONE


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"source": (2, 3), "mirror": (5, 3)}, ConflictKind.PARTITIONS, "3 stay empty"),
        ({"source": (2, 3), "brokers": 1}, ConflictKind.REPLICATION_FACTOR, "has 1 broker"),
        ({"mirror": (2, 1)}, ConflictKind.REPLICATION_FACTOR, "1 of 3 wanted replicas"),
        (
            {"mirror": (2, 3), "mirror_configs": {"cleanup.policy": "compact"}},
            ConflictKind.CLEANUP_POLICY,
            "no records without a key",
        ),
        (
            {"mirror": (2, 3), "mirror_configs": {"max.message.bytes": "1000"}},
            ConflictKind.MAX_MESSAGE_BYTES,
            "1000 on the mirror, 1048588 on the source",
        ),
        (
            {"facts": {"defaults": {**DEFAULTS, "max.message.bytes": "5"}}},
            ConflictKind.MAX_MESSAGE_BYTES,  # by the target's brokers' default
            "5 on the mirror",
        ),
        (
            {"source_configs": {"compression.zstd.level": "3"}},
            ConflictKind.UNKNOWN_CONFIG,
            "do not know compression.zstd.level",
        ),
        ({"mirror": (2, 3), "facts": {"strangers": {"orders": 7}}}, ConflictKind.NOT_OURS, "7 rec"),
        (
            {"facts": {"also_written": {"orders": "north-to-west"}}},
            ConflictKind.ALSO_WRITTEN,
            "flow north-to-west",
        ),
    ],
)
def test_conflicts_are_named_and_keep_nothing_from_being_mirrored(
    given: dict[str, Any], kind: ConflictKind, words: str
) -> None:
    planned = plan(**given)
    assert kinds(planned) == [kind]
    assert words in planned.conflicts[0].text
    assert planned.blocked is None
    assert planned.action != Action.REFUSE


def test_configs_in_step_do_away_with_their_conflicts() -> None:
    """The source's policy was changed; once the plan is carried out both have the same."""
    facts = {"agreed": {"orders": {"cleanup.policy": "compact"}}}
    planned = plan(mirror=(2, 3), mirror_configs={"cleanup.policy": "compact"}, facts=facts)
    assert config_changes(planned) == {"cleanup.policy": None}
    assert not planned.conflicts


def test_without_the_sources_configs_no_mirror_is_created() -> None:
    error = KafkaError("reading the configs of topic", "orders", "not allowed", "Grant it")
    hidden = {"source_configs": {}, "unreadable": {"orders": error}}
    planned = plan(facts=hidden)
    assert planned.action == Action.REFUSE
    assert planned.blocked is not None
    assert planned.blocked.next_step == "Grant it"
    assert plan(mirror=(2, 3), facts=hidden).action == Action.NONE, "one that is there goes on"
