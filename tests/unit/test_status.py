"""`ccr status` and `ccr lag`: what is printed of given snapshots, and the exit codes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from ccr_tui.cli.reading import Reading
from ccr_tui.cli.status import lag_json, lag_lines, status_json, status_lines
from ccr_tui.cli.tables import Row, table
from engine.api.both_ways_snapshots import (
    ConflictSample,
    ConflictsSnapshot,
    InboundFlowSnapshot,
    KeyWrite,
    TopicConflicts,
)
from engine.api.offsets_snapshots import OffsetsSnapshot, OffsetsState, OffsetsTotals
from engine.api.retention_snapshots import FlowOvertaking, Overtaking
from engine.api.snapshots import (
    ClusterSnapshot,
    EngineMode,
    EngineSnapshot,
    FlowSnapshot,
    FlowState,
    OutOfStep,
    Owner,
    PartitionSnapshot,
    PartitionState,
    RatePoint,
    Reason,
    RunBrief,
    SkippedRange,
    SyncSnapshot,
    SyncState,
    Trend,
)
from engine.errors import ExitCode

EAST = ClusterSnapshot("east", ("kafka-1.example:9093",), "production", True, None, 3, 100.0)
WEST = replace(EAST, name="west", environment="staging")
AWAY = replace(
    WEST,
    reachable=False,
    brokers=0,
    reason=Reason("connecting to cluster west at w:1: connection refused", "Is it running?"),
)
FLOW = FlowSnapshot(
    name="east-to-west",
    source="east",
    target="west",
    state=FlowState.RUNNING,
    reason=None,
    owner=Owner("e1", "host-a", 7, 3, 99.0),
    owned_here=True,
    topics=2,
    partitions=12,
    partitions_stopped=0,
    partitions_waiting=0,
    lag_records=123_456_789,
    lag_seconds=7630.0,
    records_per_second=1_234_567.0,
    bytes_per_second=987_654_321.0,
    records_total=5,
    bytes_total=500,
    limit_bytes_per_second=None,
    history=(RatePoint(1.0, 2.0, 3.0, 4),),
    observed_at=100.0,
)
SNAPSHOT = EngineSnapshot(
    version="0.1.0",
    engine_id="e1",
    mode=EngineMode.SERVICE,
    host="host-a",
    pid=7,
    config_path="/etc/ccr/dr.yaml",
    read_only=False,
    started_at=0.0,
    taken_at=100.0,
    clusters=(EAST, WEST),
    flows=(FLOW,),
)
PARTITION = PartitionSnapshot(
    flow="east-to-west",
    topic="orders.created",
    partition=11,
    target_topic="orders.created",
    state=PartitionState.RUNNING,
    reason=None,
    source_end=1_234_567_890_123,
    mirrored_to=1_234_567_890_000,
    target_end=10,
    lag_records=123,
    lag_seconds=4.2,
    records_per_second=5.0,
    bytes_per_second=500.0,
    trend=Trend.DRAINING,
    observed_at=100.0,
    version=9,
)
RUN = RunBrief(
    "20261123-0101", "promote", "running", "Drain", 88.0, fenced=True, crossed=False, why=""
)
LONG = "a-topic-with-a-very-long-name.that-somebody-generated.from-a-schema.registry-subject.v12"


def lines(snapshot: EngineSnapshot) -> list[str]:
    return list(status_lines(snapshot))


def test_status_names_engine_clusters_and_flows_in_80_columns() -> None:
    told = lines(SNAPSHOT)
    assert told[:2] == [
        "config  /etc/ccr/dr.yaml",
        "engine  service, pid 7, ccr 0.1.0, up 1 min 40 s",
    ]
    assert re.fullmatch(r"east +reachable +production +3", told[4])
    assert re.fullmatch(
        r"east-to-west +running +12 +123,456,789 +2 h 7 min +1,234,567 +942 MiB", told[8]
    )
    assert max(map(len, told)) <= 80


def test_status_says_why_and_whose() -> None:
    stuck = replace(
        FLOW,
        state=FlowState.STANDBY,
        owned_here=False,
        partitions_stopped=2,
        reason=Reason("engine e1 on host-a owns it", "Take over to run it here"),
    )
    told = lines(replace(SNAPSHOT, clusters=(EAST, AWAY), flows=(stuck,)))
    assert "    connecting to cluster west at w:1: connection refused" in told
    assert "    Is it running?" in told
    assert "    Take over to run it here" in told
    assert "    partitions stopped: 2 (ccr lag east-to-west)" in told
    assert "    owner: engine e1 on host-a" in told


def test_status_tells_what_is_not_in_step() -> None:
    def sync(name: str, state: SyncState, **more: Any) -> SyncSnapshot:
        return replace(SyncSnapshot(name, state, None, 0, (), 0, 100.0, 0.1), **more)

    left = (
        OutOfStep("topic orders", "DENY READ for User:*: not carried", "Deny it by name"),
        OutOfStep("topic pay", "likewise"),
    )
    flow = replace(
        FLOW,
        syncs=(
            sync("configs", SyncState.IN_STEP),
            sync("acls", SyncState.OUT_OF_STEP, left=left, left_total=1_234),
            sync(
                "groups",
                SyncState.FAILING,
                reason=Reason("GROUP_AUTHORIZATION_FAILED", "Grant READ"),
            ),
            sync("mm2 heartbeats", SyncState.IN_STEP),
        ),
    )
    told = lines(replace(SNAPSHOT, flows=(flow,)))
    assert max(map(len, told)) <= 80
    whole = " ".join(" ".join(told).split())
    assert (
        "acls: out of step: topic orders: DENY READ for User:*: not carried (and 1,233 more: ccr "
        "status --json). Deny it by name groups: failing: GROUP_AUTHORIZATION_FAILED. Grant READ "
        "in step: configs, mm2 heartbeats"
    ) in whole


def test_one_look_has_no_rates_and_says_where_it_looked() -> None:
    told = lines(replace(SNAPSHOT, mode=EngineMode.ONE_SHOT))
    assert told[1] == "engine  none of this user's runs it on this host; read from the clusters"
    assert told[8].split()[-2:] == ["-", "-"]


def test_a_configuration_without_flows_says_so() -> None:
    assert lines(replace(SNAPSHOT, flows=()))[-1] == "The configuration has no flows."


def test_lag_shows_each_partition_with_its_reason_in_80_columns() -> None:
    stopped = replace(
        PARTITION,
        topic=LONG,
        partition=3,
        state=PartitionState.STOPPED,
        mirrored_to=None,
        lag_records=None,
        lag_seconds=None,
        reason=Reason("the broker says RECORD_TOO_LARGE", "Raise max.message.bytes, then retry"),
    )
    told = list(lag_lines(SNAPSHOT, {"east-to-west": [PARTITION, stopped]}))
    assert told[0] == "east-to-west: running, lag 123,456,789 records (2 h 7 min)"
    assert re.fullmatch(
        r"orders\.created +11 +running +1234567890123 +1234567890000 +123 +4\.2 s", told[2]
    )
    assert told[3] == LONG
    assert re.fullmatch(r" +3 +stopped +1234567890123 +- +- +-", told[4])
    assert told[5:] == [
        "    the broker says RECORD_TOO_LARGE",
        "    Raise max.message.bytes, then retry",
    ]
    assert max(len(line) for line in told if line != LONG) <= 80


def test_lag_tells_what_a_mirror_lacks_and_what_is_not_ours() -> None:
    gaps = (SkippedRange(3, 5, 0.0, "lost by retention"), SkippedRange(7, 8, 0.0, "quarantined"))
    changed = replace(
        PARTITION, skipped=gaps, skipped_records=3, quarantined_records=1, foreign_records=12,
        left_out_records=4,
    )  # fmt: skip
    told = list(lag_lines(SNAPSHOT, {"east-to-west": [changed]}))
    assert [line.strip() for line in told[-3:]] == [
        "lacks 3 source offsets, last 7 to 7 quarantined; 1 in quarantine",
        "4 records came by other flows and are left out",
        "12 records in the mirror are not this flow's",
    ]


def test_retention_that_overtakes_is_told_of_flow_and_partition() -> None:
    overtaking = Overtaking(SNAPSHOT.taken_at + 90, "retention.ms", gone_records=1_000)
    first = FlowOvertaking("orders.created", 11, overtaking, 3)
    snapshot = replace(SNAPSHOT, flows=(replace(FLOW, overtaken=first),))
    words = " ".join(" ".join(lines(snapshot)).split())
    what = (
        "retention overtakes in 1 min 30 s (retention.ms on the source), as things go now; "
        "1,000 records are gone already"
    )
    assert f"orders.created/11: {what} partitions overtaken within a day: 3" in words
    late = replace(overtaking, at=SNAPSHOT.taken_at - 1, gone_records=0)
    rows = [replace(PARTITION, overtaken=overtaking), replace(PARTITION, overtaken=late)]
    told = " ".join(" ".join(lag_lines(SNAPSHOT, {"east-to-west": rows})).split())
    assert what in told
    assert "retention overtakes at any moment (retention.ms on the source)" in told
    (listed,) = lag_json(SNAPSHOT, {"east-to-west": rows[:1]})["flows"][0]["partitions_listed"]
    assert listed["overtaken"] == {"at": 190.0, "by": "retention.ms", "gone_records": 1_000}


def test_whether_offsets_are_identical() -> None:
    """Counted by flow, told of each partition where they differ, in full in JSON."""
    because = "source offset 16 had transaction markers or aborted records, which are not mirrored"
    differs = replace(PARTITION, offsets=OffsetsSnapshot(OffsetsState.DIFFERS, 17, because))
    same = replace(PARTITION, offsets=OffsetsSnapshot(OffsetsState.IDENTICAL))
    flow = replace(FLOW, offsets=OffsetsTotals(identical=1, aligning=2, differs=1))
    told = lines(replace(SNAPSHOT, flows=(flow,)))
    assert "    offsets: 1 identical, 2 being aligned, 1 differ (ccr lag)" in told
    assert "offset" not in "".join(list(lag_lines(SNAPSHOT, {"east-to-west": [same]}))[-1])
    rows = list(lag_lines(SNAPSHOT, {"east-to-west": [differs]}))
    assert max(map(len, rows)) <= 80
    assert f"its offset differs since 17 because {because}" in " ".join(" ".join(rows).split())
    dumped = lag_json(SNAPSHOT, {"east-to-west": [differs]})["flows"][0]["partitions_listed"][0]
    assert dumped["offsets"] == {"state": "differs", "since": 17, "because": because}


def test_status_tells_who_else_writes_into_the_source_and_of_conflicts() -> None:
    inbound = (
        InboundFlowSnapshot("west-to-east", "west", True, 1_234),
        InboundFlowSnapshot("north-to-east", "north", False, 0),
    )
    writes = KeyWrite("east", 70, 1.0), KeyWrite("west", 71, 2.0)
    samples = (ConflictSample(3, "'order-7'", *writes),)
    found = ConflictsSnapshot(10.0, 500, 0, 2, (TopicConflicts("orders.created", 2, samples),))
    flow = replace(FLOW, inbound=inbound, conflicts=found)
    told = [line.strip() for line in status_lines(replace(SNAPSHOT, flows=(flow,)))]
    for line in (
        "west-to-east: the other way; 1,234 records left out",
        "north-to-east: brings what north has to east; 0 records left out",
        "keys written on several clusters within 10 s: 2",
    ):
        assert line in told
    last = " ".join(told)
    assert "last in orders.created: key 'order-7', east and west; ccr shows them, it cannot" in last
    assert max(map(len, told)) <= 80


def test_lag_says_why_there_is_nothing_to_show() -> None:
    assert list(lag_lines(SNAPSHOT, {"east-to-west": []}))[1] == "    no topic matches"
    empty = replace(SNAPSHOT, flows=(replace(FLOW, partitions=0),))
    assert list(lag_lines(empty, {"east-to-west": []}))[1] == "    no partitions"


def test_json_has_the_documented_fields() -> None:
    status = json.loads(json.dumps(status_json(SNAPSHOT)))
    assert status["mode"] == "service"
    assert status["flows"][0]["lag_records"] == 123_456_789
    assert status["flows"][0]["owner"]["host"] == "host-a"
    assert "history" not in status["flows"][0]
    lag = json.loads(json.dumps(lag_json(SNAPSHOT, {"east-to-west": [PARTITION]})))
    assert lag["flows"][0]["partitions"] == 12
    (listed,) = lag["flows"][0]["partitions_listed"]
    assert (listed["topic"], listed["partition"], listed["trend"]) == (
        "orders.created",
        11,
        "draining",
    )
    assert not {"flow", "version"} & listed.keys()


@pytest.mark.parametrize(
    ("snapshot", "code"),
    [
        (SNAPSHOT, ExitCode.OK),
        (replace(SNAPSHOT, flows=()), ExitCode.OK),
        (replace(SNAPSHOT, flows=(replace(FLOW, state=FlowState.PAUSED),)), ExitCode.OK),
        (replace(SNAPSHOT, flows=(replace(FLOW, state=FlowState.WAITING),)), ExitCode.OK),
        (replace(SNAPSHOT, flows=(replace(FLOW, state=FlowState.STOPPED),)), ExitCode.FAILED),
        (replace(SNAPSHOT, flows=(replace(FLOW, partitions_stopped=1),)), ExitCode.FAILED),
        (
            replace(
                SNAPSHOT,
                mode=EngineMode.ONE_SHOT,
                flows=(replace(FLOW, state=FlowState.WAITING),),
            ),
            ExitCode.FAILED,
        ),
        (replace(SNAPSHOT, clusters=(EAST, AWAY)), ExitCode.CANNOT_CONNECT),
        (
            replace(SNAPSHOT, clusters=(AWAY,), flows=(replace(FLOW, state=FlowState.STOPPED),)),
            ExitCode.CANNOT_CONNECT,
        ),
    ],
)
def test_exit_code(snapshot: EngineSnapshot, code: ExitCode) -> None:
    assert Reading(snapshot, ()).exit_code() is code


def test_table_sets_text_left_and_numbers_right_and_wraps_sentences() -> None:
    rows = [Row(("a", "up", "1"), ("word " * 30,)), Row(("bb", "down", "1,000"))]
    told = list(table(("name", "State", "count"), rows))
    assert told[0] == "NAME  STATE  COUNT"
    assert told[1] == "a     up         1"
    assert told[-1] == "bb    down   1,000"
    assert all(line.startswith("    word") and len(line) <= 80 for line in told[2:-1])
    assert sum(line.count("word") for line in told[2:-1]) == 30


def test_a_fence_that_is_up_is_told() -> None:
    told = " ".join(" ".join(lines(replace(SNAPSHOT, flows=(replace(FLOW, run=RUN),)))).split())
    assert "PRODUCERS ON east ARE FENCED: promote is running for 12 s, Drain" in told
    assert "ccr runbook east-to-west follows it" in told
