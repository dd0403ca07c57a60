"""Which topics a flow takes, by which rule, and their mirrors' names."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.preview_snapshots import Decision, Rule
from engine.config.flow_section import FlowConfig
from engine.config.matching import MATCH_S, Pattern, TooSlowError
from engine.config.regexes import check_regex
from engine.kafka.metadata import TopicMetadata
from engine.replication.limiter import Limiter
from engine.replication.topics.selection import TopicSelector

ENDLESS = "(a|a)+b"  # tries 2^n ways on n letters a
VICTIM = "a" * 60


def selector(
    include: list[str] | None = None, exclude: list[str] | None = None, **flow: Any
) -> TopicSelector:
    """Build a selector as the configuration file would."""
    topics = {"include": include or [".*"], "exclude": exclude or []}
    section = {"source": "east", "target": "west", "topics": topics, **flow}
    return TopicSelector(FlowConfig.model_validate(section))


def topic(name: str, *, internal: bool = False) -> TopicMetadata:
    """Describe a topic."""
    return TopicMetadata(name, internal, 0, {})


async def decided(selector: TopicSelector, name: str, *, internal: bool = False) -> Decision:
    return (await selector.decide([topic(name, internal=internal)]))[name]


async def takes(selector: TopicSelector, name: str, *, internal: bool = False) -> bool:
    return (await decided(selector, name, internal=internal)).taken


@pytest.mark.parametrize(
    ("include", "exclude", "taken", "left"),
    [
        ([".*"], [], ["orders", "a.b", "x-1", "inter.nal", "internal"], []),
        (["orders"], [], ["orders"], ["orders2", "my-orders", "Orders"]),
        ([r"orders\..*"], [r".*\.tmp"], ["orders.eu"], ["orders", "orders.eu.tmp", "ordersXeu"]),
        (["a|b"], [], ["a", "b"], ["ab", "ac"]),
        (["a.*", "b"], ["ab", "ac"], ["a", "ad", "b"], ["ab", "ac", "bb"]),
        (["orders"], [".*"], [], ["orders"]),
        (["(?!tmp).*"], [], ["orders"], ["tmp", "tmp.1"]),
    ],
)
async def test_regexes_match_whole_names_and_exclude_wins(
    include: list[str], exclude: list[str], taken: list[str], left: list[str]
) -> None:
    chosen = await selector(include, exclude).select(topic(name) for name in [*taken, *left])
    assert list(chosen) == taken
    assert all(metadata.name == name for name, metadata in chosen.items())


async def test_the_rule_that_decided_is_told() -> None:
    rules = selector(["orders", r"pay.*"], [r".*\.tmp", r".*-old"])
    assert await decided(rules, "payments") == Decision(True, Rule.INCLUDE, r"pay.*", 2)
    assert await decided(rules, "pay-old") == Decision(False, Rule.EXCLUDE, r".*-old", 2)
    assert await decided(rules, "stock") == Decision(False, Rule.NO_MATCH)
    assert await decided(rules, "__consumer_offsets") == Decision(False, Rule.INTERNAL)


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
async def test_internal_topics_are_taken_only_when_named(name: str) -> None:
    assert not await takes(selector([".*"]), name)
    assert not await takes(selector([name[0] + ".*", ".*" + name[1:]]), name)
    assert await takes(selector([".*", name]), name)
    assert not await takes(selector([name], [name]), name)


async def test_a_name_whose_dots_are_escaped_names_it_too() -> None:
    escaped = selector([r"connect\-status\.internal"])
    assert await takes(escaped, "connect-status.internal")
    assert not await takes(escaped, "connect-statusXinternal")


async def test_what_the_source_says_is_internal_is() -> None:
    assert not await takes(selector(["audit.*"]), "audit", internal=True)
    assert await takes(selector(["audit"]), "audit", internal=True)


@pytest.mark.parametrize(
    ("rename", "name"), [("identity", "orders.eu"), ("prefix", "east.orders.eu")]
)
def test_mirrors_are_named_by_the_flows_policy(rename: str, name: str) -> None:
    assert selector(rename=rename).target_name("orders.eu") == name


@pytest.mark.parametrize(
    ("name", "loops"),
    [
        ("west.orders", True),
        ("north.west.orders", True),
        ("west.north.orders", True),
        ("orders", False),
        ("east.orders", False),  # its own prefix is not the target's
        ("orders.west", False),  # the topic's own name is no prefix
        ("west", False),
        ("western.orders", False),
    ],
)
async def test_a_renamed_topic_is_never_sent_back_to_where_it_was(name: str, loops: bool) -> None:
    """MirrorSourceConnector.isCycle: any upstream cluster of the topic is the target."""
    decision = await decided(selector(rename="prefix"), name)
    assert decision.rule == (Rule.LOOP if loops else Rule.INCLUDE)
    assert decision.taken is not loops
    assert await takes(selector(rename="identity"), name), "names say nothing there"


async def test_a_topic_that_is_excluded_anyway_is_called_that() -> None:
    rules = selector([".*"], [r"west\..*"], rename="prefix")
    assert (await decided(rules, "west.orders")).rule == Rule.EXCLUDE


class _Counted(Pattern):
    matched = 0

    def matches(self, name: str, seconds: float = MATCH_S) -> bool:
        _Counted.matched += 1
        return super().matches(name, seconds)


async def test_looking_again_costs_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.replication.topics.selection.Pattern", _Counted)
    rules = selector(["orders.*"])
    topics = [topic(f"orders-{n}") for n in range(1000)]
    _Counted.matched = 0
    await rules.select(topics)
    assert _Counted.matched == 1000
    chosen = await rules.select([*topics, topic("orders-new"), topic("other")])
    assert _Counted.matched == 1002
    assert len(chosen) == 1001


async def test_ten_thousand_topics_are_decided_in_a_moment() -> None:
    """Processor time, the best of three, so that a busy machine says nothing."""
    topics = [topic(f"team-{n % 97}.service-{n}.events") for n in range(10_000)]
    include = [r"team-[0-8]+\..*", r".*\.events", r"(?!tmp).*"]
    took = []
    for _ in range(3):
        rules = selector(include, [r".*\.tmp", r"team-13\..*"])
        began = time.process_time()
        decisions = await rules.decide(topics)
        took.append(time.process_time() - began)
    assert len(decisions) == 10_000
    first = min(took)
    assert first < 0.1
    began = time.process_time()
    await rules.decide(topics)
    assert time.process_time() - began < first / 2


@given(
    st.lists(st.sampled_from([*"ab.|()*+?\\", "(a", "b)", "{2}", "[ab]"]), max_size=8).map("".join),
    st.text("ab.", max_size=6),
)
def test_patterns_are_pythons(text: str, name: str) -> None:
    """Whichever way they are matched."""
    try:
        check_regex(text)
    except ValueError:
        return
    assert Pattern(text).matches(name) is (re.fullmatch(text, name) is not None)


async def _turns(stop: asyncio.Event) -> int:
    """Count how often others have their turn."""
    turns = 0
    while not stop.is_set():
        await asyncio.sleep(0.001)
        turns += 1
    return turns


async def test_a_regex_without_end_is_stopped_named_and_freezes_nothing() -> None:
    """Processor time here as well: in a thread that never ended it would be without end, too."""
    stop = asyncio.Event()
    watching = asyncio.create_task(_turns(stop))
    rules = selector(["orders", ENDLESS])
    began = time.process_time()
    with pytest.raises(TooSlowError) as caught:
        await rules.select([topic("orders"), topic(VICTIM)])
    took = time.process_time() - began
    stop.set()
    assert ENDLESS in str(caught.value)
    assert VICTIM in str(caught.value)
    assert took < 1.0
    assert await watching > 20, "the loop went on while the regex ran"
    # What could be decided is; the same topic is not tried again until somebody asks for that.
    assert await takes(rules, "orders")
    began = time.process_time()
    with pytest.raises(TooSlowError):
        await rules.select([topic(VICTIM)])
    assert time.process_time() - began < 0.5 * MATCH_S


async def test_many_slow_matches_are_stopped_too() -> None:
    """Each one within its limit, all together not."""
    slow = ".*a.*a.*a.*a.*b"
    topics = [topic(f"{'a' * 60}{n}") for n in range(10_000)]
    began = time.process_time()
    with pytest.raises(TooSlowError) as caught:
        await selector(["orders", slow]).select(topics)
    assert time.process_time() - began < 1.5
    assert slow in str(caught.value)


async def test_the_issues_own_pathological_regex() -> None:
    """`(a+)+$`, which Python's re takes for ever on, has its answer."""
    assert not await takes(selector(["(a+)+$"]), VICTIM + "!")
    assert await takes(selector(["(a+)+$"]), VICTIM)


def test_a_limit_whose_regex_is_too_slow_is_passed_over_and_told() -> None:
    told: list[TooSlowError] = []
    limiter = Limiter(None, {ENDLESS: 1000, "a.*": 2000})
    limiter.on_trouble = told.append
    began = time.process_time()
    assert limiter.topic_wait(VICTIM) == 0.0
    assert limiter.partition_bytes(VICTIM, 1, 1 << 40) < 1 << 40, "the next rule counts"
    limiter.topic_wait(VICTIM + "a")
    assert time.process_time() - began < 0.5
    assert [error.pattern for error in told] == [ENDLESS], "once"
