"""Failback where the old primary's history is not what it was: cut, made anew, deleted, open."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.api.snapshots import EngineMode
from engine.engine import Engine
from engine.runbook.divergence import (
    Divergence,
    Mode,
    PartitionDivergence,
    Settlement,
    Standing,
    WayBack,
    boundary,
    find,
    read_record,
    seed,
    settle,
    way_back,
)
from engine.sandbox import ClusterSpec, Sandbox
from tests.faults.histories import create_anew, cut_log, delete, delete_before, send, values
from tests.kafka.engines import create, producer, running, until, until_async
from tests.kafka.old_primary import Site, find_told, verified

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

ARRIVED = [str(n) for n in range(6)]


async def failed_over(sandbox: Sandbox, folder: Path, **configs: str) -> Site:
    """Six records mirrored, the flow stopped; the new primary has two of its own behind them."""
    site = Site(sandbox, folder, "history")
    await create(sandbox, site.topic, 1, **configs)
    await send(sandbox, site.topic, *ARRIVED)
    async with running(sandbox, [site.topic], name=site.there) as engine:
        await engine.mirrored(site.topic, len(ARRIVED))
    await send(sandbox, site.topic, "own 0", "own 1", cluster="west")
    return site


def only(found: Divergence) -> PartitionDivergence:
    """The one partition."""
    (partition,) = found.partitions
    return partition


async def failed_back(site: Site, found: Divergence, mode: Mode) -> tuple[Settlement, WayBack]:
    """Settle, and copy back."""
    async with site.opened() as owner:
        settled = await settle(owner.sides, owner.record, owner.remember, found, mode)
        assert not settled.failed
        assert await settle(owner.sides, owner.record, owner.remember, found, mode) == settled
        back = await read_record(site.back, owner.clusters["east"])
        planned = await way_back(found, owner.record, owner.reverse, back)
        await seed(owner.reverse, planned)
        await owner.state.release([])
    await run_until_copied(site, {site.back: planned.partitions[0].counted_to})
    return settled, planned


async def run_until_copied(site: Site, ends: dict[str, int]) -> dict[str, int]:
    """Run flows until they have passed an offset each; return how many records they copied."""
    config = site.config()
    engine = Engine(config, config_path="test", mode=EngineMode.SERVICE, only=tuple(ends))
    await engine.start()
    try:
        boards = {name: engine.flow(name).board for name in ends}

        def passed() -> bool:
            rows = {name: board.partitions.get((site.topic, 0)) for name, board in boards.items()}
            return all(row and row.acked.source >= ends[name] for name, row in rows.items())

        await until(passed, f"{ends} are passed")
        return {
            name: sum(row.measures.records_total for row in board.partitions.values())
            for name, board in boards.items()
        }
    finally:
        await engine.stop(10)


async def stays_in_step(site: Site, west: list[str]) -> None:
    """Both flows run: a new record on each side goes to the other, nothing else anywhere."""
    await send(site.sandbox, site.topic, "from west", cluster="west")
    await send(site.sandbox, site.topic, "from east")
    ends = {}
    async with site.opened() as owner:
        for side, name in ((owner.sides, site.there), (owner.reverse, site.back)):
            key = site.topic, 0
            metadata = await side.source.metadata([site.topic])
            ends[name] = (await side.source.list_offsets({key: -1}, metadata))[key]
        await owner.state.release([])
    assert await run_until_copied(site, ends) == {site.there: 1, site.back: 1}
    assert await values(site.sandbox, site.topic) == [*west, "from west", "from east"]
    await verified(site)


@pytest.mark.parametrize(
    "told_by", [pytest.param("leader epoch", marks=pytest.mark.soak), "content"]
)
async def test_a_source_that_lost_what_had_arrived(
    rough: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told_by: str
) -> None:
    """It has others in their place; both are kept, and what was lost comes back."""
    site = await failed_over(rough, tmp_path)
    await cut_log(rough, "east", site.topic, 3)
    await send(rough, site.topic, "new 3", "new 4")
    if told_by == "content":

        async def nobody_tells(*_: object) -> dict[object, int]:
            return {}

        monkeypatch.setattr(boundary, "diverging", nobody_tells)
    async with site.opened() as owner:
        found = await find_told(owner)
    each = only(found)
    assert (each.standing, each.first, each.end, each.records) == (Standing.FORKED, 3, 5, 2)
    assert (each.lost_from, each.mirrored_to, each.own_records) == (3, 6, 2)
    _, planned = await failed_back(site, found, Mode.REINJECT)
    assert (planned.records, planned.partitions[0].read_from) == (5, 3)
    west = [*ARRIVED, "own 0", "own 1", "new 3", "new 4"]
    assert await values(rough, site.topic) == west
    east = ["0", "1", "2", "new 3", "new 4", "3", "4", "5", "own 0", "own 1"]
    assert await values(rough, site.topic, "east") == east
    await stays_in_step(site, west)


@pytest.mark.soak
async def test_a_source_that_only_lost(rough: Sandbox, tmp_path: Path) -> None:
    """Nothing diverged; its end alone says so, and what it lost comes back."""
    site = await failed_over(rough, tmp_path)
    await cut_log(rough, "east", site.topic, 2)
    async with site.opened() as owner:
        found = await find_told(owner)
    each = only(found)
    assert (each.standing, each.first, each.records) == (Standing.FORKED, 4, 0)
    assert each.lost_from == 4
    await failed_back(site, found, Mode.DISCARD)
    assert await values(rough, site.topic, "east") == [*ARRIVED, "own 0", "own 1"]
    await stays_in_step(site, [*ARRIVED, "own 0", "own 1"])


@pytest.mark.parametrize("anew", [True, False], ids=["created anew", "deleted"])
async def test_a_source_topic_that_is_no_more(sandbox: Sandbox, tmp_path: Path, anew: bool) -> None:
    """All is copied back, at the same offsets where the topic is empty; what is discarded stays."""
    site = await failed_over(sandbox, tmp_path)
    if anew:
        await create_anew(sandbox, "east", site.topic)
        await send(sandbox, site.topic, "stray")
    else:
        await delete(sandbox, "east", site.topic)
    async with site.opened() as owner:
        found = await find_told(owner)
    each = only(found)
    assert (each.standing, each.first, each.records) == (Standing.REBUILT, 0, int(anew))
    assert (each.mirrored_to, each.own_records, found.rebuilt) == (6, 2, False)
    settled, planned = await failed_back(site, found, Mode.DISCARD)
    assert settled.partitions[0].skipped == ((0, 1) if anew else None)
    assert (planned.records, planned.partitions[0].full) == (8, True)
    stray = ["stray"] if anew else []
    east = [*stray, *ARRIVED, "own 0", "own 1"]
    assert await values(sandbox, site.topic, "east") == east
    await stays_in_step(site, [*ARRIVED, "own 0", "own 1"])


async def test_it_happens_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """The flow back goes on from where it was; of the first time nothing is found, or copied."""
    site = await failed_over(sandbox, tmp_path)
    await send(sandbox, site.topic, "late 1")
    async with site.opened() as owner:
        found = await find_told(owner)
    await failed_back(site, found, Mode.REINJECT)
    west = [*ARRIVED, "own 0", "own 1", "late 1"]
    await stays_in_step(site, west)
    await send(sandbox, site.topic, "late 2", "late 3")
    await send(sandbox, site.topic, "own 2", cluster="west")
    async with site.opened() as owner:
        found = await find_told(owner)
    each = only(found)
    assert (each.standing, each.records, each.own_records) == (Standing.DIVERGED, 2, 1)
    _, planned = await failed_back(site, found, Mode.REINJECT)
    assert (planned.records, planned.partitions[0].begun) == (1, True)
    west += ["from west", "from east", "own 2", "late 2", "late 3"]
    assert await values(sandbox, site.topic) == west
    assert sorted(await values(sandbox, site.topic, "east")) == sorted(west)
    await stays_in_step(site, west)


async def test_an_open_transaction_has_to_end_first(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whether its records diverged cannot be told before; aborted, they did not."""
    site = await failed_over(sandbox, tmp_path)
    async with producer(sandbox, transactional_id=site.topic) as sender:
        await sender.begin_transaction()
        await sender.send_and_wait(site.topic, b"open", partition=0)
        async with site.opened() as owner:
            each = only(await find(owner.sides, owner.record))
        assert (each.standing, each.retriable) == (Standing.UNTOLD, True)
        assert "a transaction is open on the old primary from offset 6 on" in each.reason
        await sender.abort_transaction()
    async with site.opened() as owner:
        each = only(await find_told(owner))
    assert (each.standing, each.records) == (Standing.ARRIVED, 0)


async def test_retention_took_some(sandbox: Sandbox, tmp_path: Path) -> None:
    """What is gone is counted, the rest re-injected."""
    site = await failed_over(sandbox, tmp_path)
    await send(sandbox, site.topic, "6", "7", "8", "9")
    await delete_before(sandbox, site.topic, 8)
    async with site.opened() as owner:
        found = await find_told(owner)
    each = only(found)
    assert (each.standing, each.first, each.records, each.gone) == (Standing.DIVERGED, 8, 2, 2)
    settled, _ = await failed_back(site, found, Mode.REINJECT)
    assert settled.partitions[0].ranges == ((8, 8, 2),)
    west = [*ARRIVED, "own 0", "own 1", "8", "9"]
    assert await values(sandbox, site.topic) == west
    await stays_in_step(site, west)


async def test_a_mirror_that_was_made_anew_cannot_be_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing is done with it."""
    site = await failed_over(sandbox, tmp_path)
    await create_anew(sandbox, "west", site.topic)
    async with site.opened() as owner:
        found = await find_told(owner)
        each = only(found)
        assert (each.standing, each.retriable) == (Standing.UNTOLD, False)
        settled = await settle(owner.sides, owner.record, owner.remember, found, Mode.DISCARD)
    assert "deleted and created anew on the new primary" in each.reason
    assert settled.partitions == ()


@pytest.mark.soak
async def test_the_new_primary_has_compacted_what_it_superseded(tmp_path: Path) -> None:
    """Mirrored records are gone from it by right: all have one key, and its own are newer."""
    clusters = {
        "east": ClusterSpec(properties={"log.cleaner.backoff.ms": "86400000"}),
        "west": ClusterSpec(properties={"log.cleaner.backoff.ms": "100"}),
    }
    compacting = {
        "cleanup_policy": "compact",
        "segment_ms": "100",
        "min_cleanable_dirty_ratio": "0.01",
        "max_compaction_lag_ms": "100",
    }
    async with Sandbox(tmp_path / "cleaning", clusters, ephemeral=True) as cleaning:
        site = await failed_over(cleaning, tmp_path, **compacting)
        await send(cleaning, site.topic, "6")

        async def superseded() -> bool:
            await send(cleaning, site.topic, "own", cluster="west")
            return not set(ARRIVED) & set(await values(cleaning, site.topic))

        await until_async(superseded, "no mirrored record is left")
        async with site.opened() as owner:
            found = await find_told(owner)
            each = only(found)
            assert (each.standing, each.first, each.records) == (Standing.DIVERGED, 6, 1)
            settled = await settle(owner.sides, owner.record, owner.remember, found, Mode.DISCARD)
    assert settled.partitions[0].skipped == (6, 7)
