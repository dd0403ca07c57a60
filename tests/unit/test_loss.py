"""What would be lost: counted by partition, remembered for an hour, said in a sentence."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import pytest

from ccr_tui.cli.loss import loss_json, loss_lines
from engine.api.group_snapshots import GroupSnapshot, GroupsPage, GroupState
from engine.api.loss_snapshots import GroupLoss, LossPoint, LossSnapshot, PartitionLoss, TopicLoss
from engine.api.snapshots import PartitionState
from engine.config.cluster_section import ClusterConfig
from engine.config.flow_section import FlowConfig
from engine.errors import RefusedError
from engine.kafka.cluster import Cluster
from engine.replication import loss_history
from engine.replication.board import Board
from engine.replication.loss import Brought, tally, topic_loss, total
from engine.replication.loss_history import LossHistory
from engine.replication.loss_report import LossReport, with_groups
from engine.replication.offset_map import OffsetMap
from engine.replication.partition import MirrorPartition, Progress
from engine.replication.seen_ends import SeenEnds
from engine.replication.state_records import FlowRecord
from engine.replication.write_rate import WriteRate
from engine.service import loss_wording
from tests.unit.recording_listener import RecordingListener

NOW = 1_800_000_000.0


def partition(
    topic: str,
    number: int = 0,
    *,
    end: int | None = 100,
    mirrored_to: int | None = 100,
    mean: int = 0,
    began: float = NOW,
) -> MirrorPartition:
    """A partition whose end was seen at `began`; `mean` bytes a record were measured."""
    made = MirrorPartition((topic, number), topic, RecordingListener())
    made.set_state(PartitionState.RUNNING)
    if mirrored_to is not None:
        made.positioned = True
        made.acked = Progress(mirrored_to, mirrored_to, mirrored_to)
        made.observe_end(mirrored_to, began - 1)
    if mean:
        made.measures.acknowledged(10, 10 * mean)
    if end is not None:
        made.observe_end(end, began)
    return made


def test_what_is_in_step_loses_nothing() -> None:
    topics = tally([partition("orders", n) for n in range(3)], NOW)
    assert (topics["orders"].records, topics["orders"].losing) == (0, 0)
    assert total(topics.values(), {}) == type(total([], {}))(0, 0.0, 0.0)


def test_records_bytes_and_the_oldest_age_of_a_topic() -> None:
    """Bytes by each partition's own mean; by the topic's where it has measured none itself."""
    behind = [
        partition("orders", 0, end=110, mean=50, began=NOW - 4),
        partition("orders", 1, end=103, mean=1000, began=NOW - 9),
        partition("orders", 2, end=102),
        partition("clicks", 0),
    ]
    topics = tally(behind, NOW)
    shown = topic_loss(topics["orders"], {"orders": 7.0})
    assert shown.lost_records == 10 + 3 + 2
    # 10 of 50 bytes, 3 of 1000, and 2 of the topic's mean (10 * 50 + 10 * 1000) / 20
    assert shown.lost_bytes == 500 + 3000 + 2 * 525
    assert shown.lost_seconds == pytest.approx(9)
    assert (shown.partitions, shown.partitions_halted) == (3, 0)
    assert total(topics.values(), {}).records == 15


def test_a_topic_that_was_never_measured_takes_the_sizes_on_disk_or_stays_unknown() -> None:
    topics = tally([partition("orders", end=110), partition("clicks", end=101, mean=8)], NOW)
    assert total(topics.values(), {"orders": 30.0}).bytes == 10 * 30 + 8
    assert total(topics.values(), {}).bytes is None
    assert topic_loss(topics["orders"], {}).lost_bytes is None
    assert topic_loss(topics["clicks"], {}).lost_bytes == 8


def test_stopped_and_waiting_partitions_count_and_are_told_apart() -> None:
    stopped, waiting = partition("orders", 0, end=150), partition("orders", 1, end=101)
    stopped.stop("too large", "ccr retry")
    waiting.wait("no leader")
    found = tally([stopped, waiting, partition("orders", 2, end=102)], NOW)["orders"]
    assert (found.records, found.losing, found.halted) == (53, 3, 2)


def test_a_partition_without_a_position_counts_from_where_the_source_begins() -> None:
    unplaced = partition("orders", end=100, mirrored_to=None)
    assert tally([unplaced], NOW)["orders"].records == 100
    unplaced.measures.source_start = 40
    found = tally([unplaced], NOW)["orders"]
    assert (found.records, found.seconds) == (60, None)
    assert total([found], {}).seconds is None


def test_an_end_that_was_never_seen_is_not_taken_for_nothing() -> None:
    found = tally([partition("orders", end=None, mirrored_to=None)], NOW)["orders"]
    assert (found.records, found.unknown) == (0, 1)


def test_other_flows_records_make_it_an_upper_bound() -> None:
    mixed = partition("orders", end=110)
    mixed.history.left_out = 3
    assert topic_loss(tally([mixed], NOW)["orders"], {}).at_most
    assert not topic_loss(tally([partition("orders", end=110)], NOW)["orders"], {}).at_most


def test_records_that_other_flows_brought_would_not_be_lost() -> None:
    """The reverse flow's map says where in our source its records stand."""
    ours = partition("orders", end=120, mean=10)
    back = partition("orders", end=9, mirrored_to=9)
    back.offset_map = OffsetMap([(0, 90, 15), (15, 110, 5), (20, 118, 7)])  # 5, 5, and 2 of ours
    board = Board("back")
    board.add(back)
    board.add(partition("clicks"))
    found = tally([ours, partition("news", end=101)], NOW, Brought([board]))
    assert found["orders"].records == 20 - 5 - 5 - 2
    assert topic_loss(found["orders"], {}).lost_bytes == 8 * 10
    assert found["news"].records == 1


# the report


def reporting(*partitions: MirrorPartition) -> LossReport:
    board = Board("flow")
    for each in partitions:
        board.add(each)
    config = FlowConfig(source="primary", target="dr")
    nowhere = Cluster("primary", ClusterConfig(bootstrap_servers=["127.0.0.1:1"]))
    return LossReport("flow", config, nowhere, board)


async def test_what_came_since_the_last_look_is_estimated() -> None:
    """At the rate at which the source was written; nothing where it is in sight."""
    seen = partition("orders", end=110, mean=5)
    board = Board("flow")
    board.add(seen)
    nowhere = Cluster("primary", ClusterConfig(bootstrap_servers=["127.0.0.1:1"]))
    config = FlowConfig(source="primary", target="dr")
    report = LossReport("flow", config, nowhere, board, lambda: 40.0)
    then = time.time() - 50
    gone = await report.snapshot(None, lambda _: then, "connection refused")
    assert gone.written_per_second == 40.0
    assert gone.since_records == pytest.approx(2000, abs=40)
    assert gone.since_bytes == pytest.approx(5 * 2000, abs=5 * 40)
    assert gone.lost_records == 110 - seen.acked.source  # by itself
    here = await report.snapshot(None, lambda _: time.time(), "")
    assert (here.written_per_second, here.since_records) == (None, None)


def test_the_rate_at_which_the_source_is_written() -> None:
    rate = WriteRate()
    rate.note(NOW, 3, 1000)
    assert rate.per_second is None
    for second in range(5, 200, 5):
        rate.note(NOW + second, 3, 1000 + 7 * second)
    assert rate.per_second == pytest.approx(7)
    for second in range(200, 265, 5):
        rate.note(NOW + second, 3, 1000 + 7 * 195)
    assert rate.per_second == 0  # of the last minute
    rate.note(NOW + 270, 4, 10**6)  # a partition more
    assert rate.per_second is None


def test_the_rate_stays_as_it_was_when_the_source_goes() -> None:
    """And is written where it has changed."""
    board, record = Board("flow"), FlowRecord()
    row = partition("orders", end=1000, mean=5)
    board.add(row)
    last_seen = NOW
    seen = SeenEnds(record, board, lambda _: last_seen)

    def rates() -> list[float]:
        return [value["r"] for key, value in seen.entries() if key == "written" and value]

    told: list[float] = []
    with patch("engine.replication.seen_ends.time.time") as clock:
        for step in range(8):
            clock.return_value = last_seen = NOW + 5 * step
            row.measures.source_end = 1000 + 50 * step
            told += rates()
        assert told == [pytest.approx(10)]
        clock.return_value += 300  # nobody sees the source any more
        assert rates() == []


async def test_the_worst_topics_come_first_and_the_oldest_look_counts() -> None:
    now = time.time()
    seen = {"orders": now - 1, "clicks": now - 12, "idle": now - 30}
    report = reporting(
        partition("orders", end=110, mean=5),
        partition("clicks", 0, end=150, mean=5),
        partition("clicks", 1, mean=5),
        partition("idle"),
    )
    found = await report.snapshot("clicks", lambda p: seen[p.topic], "")
    assert [each.topic for each in found.topics] == ["clicks", "orders"]
    assert (found.lost_records, found.lost_bytes, found.topics_losing) == (60, 300, 2)
    assert found.looked_at == seen["idle"]
    assert found.at_least
    assert [(row.partition, row.lost_records) for row in found.listed] == [(0, 50), (1, 0)]
    assert [row.looked_at for row in found.listed] == [seen["clicks"]] * 2


async def test_a_stopped_partition_that_nobody_looks_at_does_not_age_the_rest() -> None:
    """Its topic is gone from the source; what it had is still counted."""
    now = time.time()
    gone = partition("gone", end=120, mean=5)
    gone.stop("the source has no gone/0 any more", "")
    report = reporting(gone, partition("orders", mean=5))
    found = await report.snapshot(None, lambda p: now if p.topic == "orders" else 1.0, "")
    assert (found.looked_at, found.at_least, found.lost_records) == (now, False, 20)


async def test_a_source_that_is_away_makes_it_a_lower_bound() -> None:
    report = reporting(partition("orders", end=110, mean=5))
    found = await report.snapshot(None, lambda _: time.time(), "connection refused")
    assert found.at_least
    assert found.source_trouble == "connection refused"


async def test_topics_that_the_flow_does_not_have_are_refused() -> None:
    report = reporting(partition("orders"))
    with pytest.raises(RefusedError, match="nothing-such"):
        await report.snapshot("nothing-such", lambda _: 0.0, "")
    with pytest.raises(RefusedError, match="nothing-such"):
        report.history("nothing-such")


async def test_bytes_that_nobody_can_tell_are_left_open() -> None:
    """The source that would be asked for its sizes is not there."""
    found = await reporting(partition("orders", end=110)).snapshot(None, lambda _: 1.0, "")
    assert (found.lost_records, found.lost_bytes) == (10, None)


def group(name: str, again: int | None, lost: int | None) -> GroupSnapshot:
    return GroupSnapshot(
        name, "classic", GroupState.IN_STEP, None, "Empty", "Empty", again, 0, lost, ()
    )


def test_groups_that_would_meet_something_are_named_most_first() -> None:
    rows = (group("a", 3, 0), group("b", 0, 0), group("c", 40, 5), group("d", None, None))
    found = with_groups(LOSS, GroupsPage("flow", True, NOW - 2, 0.1, None, rows))
    assert found.groups == (
        GroupLoss("c", 40, 5), GroupLoss("a", 3, 0), GroupLoss("d", None, None),
    )  # fmt: skip
    assert (found.again_records, found.groups_looked_at) == (43, NOW - 2)
    assert with_groups(LOSS, GroupsPage("flow", True, 0.0, 0.0, None, ())) == LOSS


# an hour of history


def noted(history: LossHistory, points: Sequence[tuple[float, list[MirrorPartition]]]) -> None:
    for at, partitions in points:
        assert history.due(at)
        history.note(tally(partitions, at), at)


def test_the_history_has_what_was_lost_and_mirrored_point_by_point() -> None:
    behind, idle = partition("orders", end=110, mean=50), partition("clicks", mean=5)
    behind.measures.rate.records_per_second = 7.0
    behind.measures.rate.bytes_per_second = 350.0
    history = LossHistory()
    noted(history, [(NOW, [idle]), (NOW + 5, [behind, idle]), (NOW + 10, [idle])])
    assert not history.due(NOW + 12)
    flow = history.snapshot("flow", None)
    assert flow.at == (NOW, NOW + 5, NOW + 10)
    assert (flow.lost_records, flow.lost_bytes) == ((0, 10, 0), (0, 500, 0))
    assert flow.lost_seconds == (0, pytest.approx(5), 0)
    assert (flow.records_per_second, flow.bytes_per_second) == ((0, 7, 0), (0, 350, 0))
    worst = history.worst(NOW + 10)
    assert worst is not None
    assert (worst.at, worst.lost_records, worst.lost_bytes) == (NOW + 5, 10, 500)
    topic = history.snapshot("flow", "orders")  # since it was among the worst
    assert (topic.at, topic.lost_records) == ((NOW + 5, NOW + 10), (10, 0))
    assert history.snapshot("flow", "clicks").at == ()


def test_a_topic_that_was_asked_for_is_remembered_from_then_on() -> None:
    idle = partition("clicks")
    history = LossHistory()
    noted(history, [(NOW, [idle])])
    history.want("clicks")
    assert history.snapshot("flow", "clicks").at == ()
    noted(history, [(NOW + 5, [idle])])
    history.want("clicks")
    assert history.snapshot("flow", "clicks").at == (NOW + 5,)


def test_bytes_without_a_measure_are_no_number_in_the_history() -> None:
    history = LossHistory()
    noted(history, [(NOW, [partition("orders", end=110)])])
    assert history.snapshot("flow", None).lost_bytes == (None,)
    assert history.worst(NOW) == LossPoint(NOW, 10, None, 0.0)


def test_a_clock_that_was_set_back_does_not_end_the_history() -> None:
    history = LossHistory()
    noted(history, [(NOW, []), (NOW - 3600, [])])
    assert history.snapshot("flow", None).at == (NOW, NOW - 3600)


def test_only_the_last_hour_is_kept_and_of_the_worst_topics_only() -> None:
    """Bounded by what it says, however many topics and points there are."""
    history = LossHistory()
    points = loss_history.POINTS * 2
    for number in range(points):
        worst = [
            partition(f"topic-{(number // 60 * 7 + each) % 200}", end=200 + each)
            for each in range(loss_history.WORST + 5)
        ]
        at = NOW + 5 * number
        history.note(tally(worst, at), at)
    flow = history.snapshot("flow", None)
    assert len(flow.at) == len(flow.lost_records) == loss_history.POINTS
    assert flow.at[-1] == NOW + 5 * (points - 1)
    newest = f"topic-{((points - 1) // 60 * 7 + loss_history.WORST + 4) % 200}"
    latest = history.snapshot("flow", newest)
    assert latest.at[-1] == flow.at[-1]
    assert latest.lost_records[-1] == 100 + loss_history.WORST + 4
    arrays = [history._at, *history._flow.columns]
    for series in history._topics.values():
        arrays += series.columns
    assert len(history._topics) == loss_history.TOPICS
    assert sum(map(sys.getsizeof, arrays)) < 2_000_000


# in words

LOSS = LossSnapshot(
    flow="primary-to-dr",
    source="primary",
    target="dr",
    lost_records=1204,
    lost_bytes=3_250_000,
    lost_seconds=2.4,
    partitions=24,
    partitions_unknown=0,
    topics_losing=3,
    topics=(
        TopicLoss("orders", 1000, 3_000_000, 2.4, 4, 1, False),
        TopicLoss("clicks", 200, None, None, 1, 0, False),
    ),
    looked_at=NOW - 0.5,
    taken_at=NOW,
    at_least=False,
    at_most=False,
    source_trouble="",
)
WITH_GROUPS = replace(
    LOSS,
    groups=(GroupLoss("billing", 340, 12), GroupLoss("mailer", 0, 3)),
    groups_looked_at=NOW - 1,
    again_records=340,
)
IN_STEP = replace(LOSS, lost_records=0, lost_bytes=0, lost_seconds=0.0, topics_losing=0, topics=())


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (
            WITH_GROUPS,
            (
                "If primary vanished now: 1,204 records (about 3.1 MiB) of 3 topics written in the "
                "last 2.4 s would be lost; 1 group would read 340 records again."
            ),
        ),
        (
            replace(LOSS, at_least=True, looked_at=NOW - 12),
            (
                "If primary vanished now: at least 1,204 records (about 3.1 MiB) of 3 topics "
                "written in the last 2.4 s would be lost, as of 12 s ago."
            ),
        ),
        (
            replace(LOSS, lost_records=1, topics_losing=1, lost_bytes=None, lost_seconds=None),
            "If primary vanished now: 1 record of 1 topic would be lost.",
        ),
        (
            replace(LOSS, at_most=True, lost_bytes=None, lost_seconds=None),
            "If primary vanished now: at most 1,204 records of 3 topics would be lost.",
        ),
        (IN_STEP, "If primary vanished now: nothing would be lost."),
        (
            replace(IN_STEP, at_least=True, looked_at=NOW - 75, groups_looked_at=NOW),
            (
                "If primary vanished now: nothing of what it had 1 min 15 s ago would be lost; no "
                "group would read a record again."
            ),
        ),
        (
            replace(
                IN_STEP,
                at_least=True,
                looked_at=NOW - 75,
                written_per_second=20.0,
                since_records=1500,
                since_bytes=150_000,
            ),
            (
                "If primary vanished now: nothing of what it had 1 min 15 s ago would be lost; by "
                "estimate 1,500 records (146 KiB) more, if written since."
            ),
        ),
        (
            replace(IN_STEP, looked_at=0.0),
            "If primary vanished now: what would be lost is not known, its ends were not seen yet.",
        ),
    ],
)
def test_the_sentence(loss: LossSnapshot, said: str) -> None:
    assert loss_wording.sentence(loss) == said


def test_the_notes_tell_what_the_numbers_leave_out() -> None:
    strange = replace(
        LOSS,
        lost_bytes=None,
        partitions_unknown=2,
        at_most=True,
        source_trouble="connection refused",
        worst=LossPoint(NOW - 600, 90_000, 1 << 20, 60.0),
    )
    said = "\n".join(loss_wording.notes(strange))
    for words in (
        "primary is not seen at the moment: connection refused",
        "other flows",
        "2 partitions whose end was never seen",
        "Bytes are not known",
        "Consumer groups were not looked at",
        "Worst of the last hour: 90,000 records (about 1.0 MiB), 10 min 0 s ago",
    ):
        assert words in said
    assert list(loss_wording.notes(WITH_GROUPS)) == []


def test_everything_fits_80_columns_and_says_the_sentence_first() -> None:
    rows = tuple(
        PartitionLoss("orders", n, PartitionState.STOPPED, 10**12, 10**12 - n, n, n * 9, 9e5, NOW)
        for n in range(3)
    )
    long = replace(LOSS.topics[0], topic="o" * 90)
    many = replace(WITH_GROUPS, topics=(long, *LOSS.topics * 9), topics_losing=2000, listed=rows)
    lines = list(loss_lines([many]))
    assert [line for line in lines if len(line) > 80] == ["o" * 90]
    assert lines[0].startswith("If primary vanished now: 1,204 records (about 3.1 MiB) of")
    text = "\n".join(lines)
    assert "… and 1,990 more topics (--json)" in text
    assert "billing" in text
    assert "mailer" not in text  # it would read nothing again
    assert "clicks" in text


def test_json_has_plain_numbers_of_every_flow() -> None:
    (flow,) = loss_json([WITH_GROUPS])["flows"]
    assert flow["lost_records"] == 1204
    assert flow["lost_bytes"] == 3_250_000
    assert flow["lost_seconds"] == 2.4
    assert flow["again_records"] == 340
    assert flow["topics"][0]["topic"] == "orders"
    assert flow["groups"][0] == {"group": "billing", "again_records": 340, "lost_records": 12}
