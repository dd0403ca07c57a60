"""`ccr groups`: what is printed of given pages."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from ccr_tui.cli.groups import _pages, groups_json, groups_lines
from engine.api.group_snapshots import (
    GroupPartitionSnapshot,
    GroupSnapshot,
    GroupsPage,
    GroupState,
)
from engine.api.snapshots import Reason
from engine.errors import ConnectError, ExitCode
from tests.unit.engine_double import SNAPSHOT, RecordingEngine
from tests.unit.test_status import FLOW

PARTITION = GroupPartitionSnapshot(
    "orders.created", 11, "orders.created", 123_456_789_012, "host-7", 123_456_700_000,
    123_456_000_000, 700_000, 0, 1_234, "the group is active on the target",
)  # fmt: skip
GROUP = GroupSnapshot(
    "billing", "consumer", GroupState.ACTIVE, Reason("it has members there", "Stop them"),
    "Empty", "Stable", 700_000, 0, 1_234, (PARTITION,),
)  # fmt: skip
IN_STEP = replace(
    GROUP, name="settlement-of-payments", kind="classic", state=GroupState.IN_STEP, reason=None,
    target_state="Empty", again=0, lost=0,
)  # fmt: skip
AHEAD = replace(IN_STEP, name="reset", state=GroupState.AHEAD, ahead=12, again=0)
SHARE = replace(
    IN_STEP, name="queue", kind="share", state=GroupState.SHARE, partitions=(), target_state="",
    reason=Reason("a share group (KIP-932) has no committed offsets"),
)  # fmt: skip
LONG = replace(IN_STEP, name="a-name-of-" + "x" * 90, again=None, lost=None)


def page(*groups: GroupSnapshot) -> GroupsPage:
    return GroupsPage("east-to-west", True, time.time() - 3.0, 0.1, None, groups)


def test_a_line_for_each_group() -> None:
    assert list(groups_lines([page(GROUP, IN_STEP, AHEAD, SHARE, LONG)], in_full=False)) == [
        "east-to-west: 5 groups, 3.0 s ago",
        "GROUP                                     STATE             PART  RE-READ   LOST",
        "billing                                   active on target     1  700,000  1,234",
        "    it has members there. Stop them",
        "settlement-of-payments                    in step              1        0      0",
        "reset                                     ahead                1        0      0",
        "    12 records on the target would be missed",
        "queue                                     share group          0        0      0",
        "    a share group (KIP-932) has no committed offsets",
        LONG.name,
        "                                          in step              1        -      -",
    ]


def test_a_group_in_full() -> None:
    lines = list(groups_lines([page(GROUP)], in_full=True))
    assert lines == [
        "east-to-west: 1 group, 3.0 s ago",
        "",
        "billing: active on target",
        "    consumer group, Empty on the source, Stable on the target",
        "    it has members there. Stop them",
        "TOPIC           PART        SOURCE    TRANSLATED        TARGET  RE-READ   LOST",
        "orders.created    11  123456789012  123456700000  123456000000  700,000  1,234",
        "    the group is active on the target",
    ]
    assert max(map(len, lines)) <= 80


def test_why_nothing_is_shown() -> None:
    away = GroupsPage("a-to-b", False, 0.0, 0.0, Reason("no answer", "Is it up?"), ())
    off = replace(page(), commits=False)
    assert list(groups_lines([away, off], in_full=False)) == [
        "a-to-b: not looked at",
        "    no answer. Is it up?",
        "",
        "east-to-west: 0 groups, 3.0 s ago; sync.groups is off, nothing is committed",
        "    no group has committed offsets for its topics",
    ]


def test_json_has_everything() -> None:
    printed = json.loads(json.dumps(groups_json([page(GROUP)])))
    group = printed["flows"][0]["groups"][0]
    assert (group["state"], group["again"]) == ("active on target", 700_000)
    assert group["partitions"][0]["metadata"] == "host-7"


async def test_exit_codes() -> None:
    """1: a group failed, or looking did; 3: a cluster is away; with one flow, the error itself."""
    engine = RecordingEngine(given=replace(SNAPSHOT, flows=(FLOW,)))
    failed = replace(IN_STEP, state=GroupState.FAILED)
    for found, code in (
        (page(GROUP, AHEAD), ExitCode.OK),
        (page(failed), ExitCode.FAILED),
        (replace(page(), reason=Reason("why")), ExitCode.FAILED),
    ):
        engine.groups_pages["east-to-west"] = found
        assert await _pages(engine, None) == ([found], code)
    engine.failure = ConnectError("connecting to cluster", "east", "refused")
    with pytest.raises(ConnectError):
        await _pages(engine, "east-to-west")
