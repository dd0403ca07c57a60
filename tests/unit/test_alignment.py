"""Aligning a partition: from any crash to the goal, never past it, never over others' records."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.replication.identical import alignment
from engine.replication.identical.alignment import Aligned, Alignment, NotFresh
from engine.replication.identical.fillers import LARGEST
from tests.unit.fill_model import CrashedError, ModelLog, Partition


async def life(log: ModelLog, goal: int) -> Aligned | NotFresh:
    """One engine's work on the partition, from its beginning."""
    one = Alignment(goal)
    strange = await one.recover(log)
    if strange is not None:
        return strange

    return await one.fill(log, noted, lambda reached: None)


async def noted() -> None:
    """Nothing to put on record."""


@pytest.mark.parametrize("goal", [1, 2, 3, 5, LARGEST, LARGEST + 1, LARGEST + 2, 50_000_000])
async def test_it_begins_at_the_goal(goal: int) -> None:
    partition = Partition()
    outcome = await life(ModelLog(partition), goal)
    assert isinstance(outcome, Aligned)
    assert outcome.filled == goal
    assert (partition.start, partition.end, partition.open) == (goal, goal, False)


async def test_what_can_be_seen_is_deleted_on_the_way() -> None:
    """Fillers of one transaction at most stand in the log."""
    partition = Partition()
    log = ModelLog(partition)
    most = 0
    one = Alignment(50_000_000)
    assert await one.recover(log) is None

    async def note() -> None:
        assert partition.end == 0

    def tell(reached: int) -> None:
        nonlocal most
        assert partition.visible == 0
        assert reached - most <= alignment.TRANSACTION_FILLERS + 1
        most = reached

    await one.fill(log, note, tell)
    assert most == 50_000_000


@pytest.mark.parametrize("goal", [1, 2, 5, 3 * LARGEST, alignment.TRANSACTION_FILLERS + 2])
@pytest.mark.parametrize("dies_after", [False, True])
async def test_killed_at_every_step(goal: int, dies_after: bool) -> None:
    """Before or after any step, and then at any step of the life that follows."""
    first = 0
    while True:
        first += 1
        partition = Partition()
        try:
            await life(ModelLog(partition, first, dies_after), goal)
            break
        except CrashedError:
            assert partition.end <= goal
        second = 0
        while True:
            second += 1
            copy = Partition(list(partition.rows), partition.start, partition.end, partition.open)
            try:
                await life(ModelLog(copy, second, not dies_after), goal)
                break
            except CrashedError:
                assert copy.end <= goal
            visible = copy.visible
            outcome = await life(ModelLog(copy), goal)
            assert isinstance(outcome, Aligned)
            assert outcome.left_over or not visible
            assert (copy.start, copy.end, copy.open) == (goal, goal, False)
    assert first > 5


async def test_the_goal_may_move_on_between_lives() -> None:
    """Retention takes the source's oldest records while the mirror is aligned."""
    partition = Partition()
    with pytest.raises(CrashedError):
        await life(ModelLog(partition, 7), 10)
    assert isinstance(await life(ModelLog(partition), 25), Aligned)
    assert (partition.start, partition.end) == (25, 25)
    assert isinstance(await life(ModelLog(partition), 26), Aligned)
    assert (partition.start, partition.end) == (26, 26)


async def test_how_long_fillers_were_there_is_known_over_failures() -> None:
    """The same engine tries again: what the first try left counts until it is deleted."""
    partition = Partition()
    one = Alignment(3 * LARGEST)
    log = ModelLog(partition, 9)
    assert await one.recover(log) is None
    with pytest.raises(CrashedError):
        await one.fill(log, noted, lambda reached: None)
    assert partition.visible
    await asyncio.sleep(0.05)
    again = ModelLog(partition)
    assert await one.recover(again) is None
    outcome = await one.fill(again, noted, lambda reached: None)
    assert isinstance(outcome, Aligned)
    assert (partition.start, partition.end) == (3 * LARGEST, 3 * LARGEST)
    assert outcome.exposed_seconds >= 0.05
    assert not outcome.left_over


async def test_a_good_place_to_stop_is_reached_soon() -> None:
    """Asked to hurry, it ends its transaction with the batch that is under way."""
    partition = Partition()
    one = Alignment(8 * LARGEST)
    log = ModelLog(partition)
    assert await one.recover(log) is None
    reached: list[int] = []

    def tell(end: int) -> None:
        reached.append(end)
        assert (partition.visible, partition.open) == (0, False)

    outcome = await one.fill(log, noted, tell, lambda: 2 * LARGEST <= partition.end < 5 * LARGEST)
    assert isinstance(outcome, Aligned)
    assert reached[0] == 2 * LARGEST + 1
    assert (partition.start, partition.end) == (8 * LARGEST, 8 * LARGEST)


@given(
    goal=st.integers(1, 3 * LARGEST),
    step=st.integers(1, 25),
    count=st.integers(1, 5),
    dies_at=st.none() | st.integers(1, 25),
)
async def test_strangers_records_are_never_deleted(
    goal: int, step: int, count: int, dies_at: int | None
) -> None:
    """Whenever somebody else writes: he keeps his records, and the mirror is not called aligned."""
    partition = Partition()
    log = ModelLog(partition, dies_at, strangers={step: count})
    try:
        outcome: object = await life(log, goal)
    except CrashedError:
        outcome = await life(ModelLog(partition), goal)
    strange = [row for row in partition.rows if not row.ours]
    for row in strange:
        assert row.first >= partition.start
        assert isinstance(outcome, NotFresh)
    if not strange:
        assert isinstance(outcome, Aligned)
        assert (partition.start, partition.end) == (goal, goal)


@pytest.mark.parametrize("goal", [1, 2, 8])
async def test_a_stranger_at_every_step(goal: int) -> None:
    """Up to the very last look he is noticed."""
    probe = ModelLog(Partition())
    await life(probe, goal)
    assert probe.steps >= 8
    for step in range(1, probe.steps + 1):
        partition = Partition()
        outcome = await life(ModelLog(partition, strangers={step: 1}), goal)
        assert isinstance(outcome, NotFresh), f"step {step} of {probe.steps}"
        assert all(row.first >= partition.start for row in partition.rows if not row.ours)


async def test_smaller_batches_where_the_topic_takes_no_larger() -> None:
    partition = Partition(largest=1000)
    assert isinstance(await life(ModelLog(partition), 5000), Aligned)
    assert max(row.size for row in partition.rows) == 512
    assert (partition.start, partition.end) == (5000, 5000)


async def test_a_topic_that_takes_no_batch_at_all() -> None:
    with pytest.raises(alignment.TooLargeError):
        await life(ModelLog(Partition(largest=0)), 5000)


async def test_a_mirror_that_reaches_beyond_the_goal() -> None:
    partition = Partition()
    await life(ModelLog(partition), 10)
    outcome = await life(ModelLog(partition), 9)
    assert outcome == NotFresh("it ends at offset 10 already, the source begins at 9")
    assert (partition.start, partition.end) == (10, 10)
