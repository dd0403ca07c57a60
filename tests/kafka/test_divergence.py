"""Failback's heart on real brokers: what never arrived is found, kept, settled; the way back."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import stat
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import GroupCoordinatorNotAvailableError

from engine.api.snapshots import EngineMode
from engine.engine import Engine
from engine.errors import RefusedError
from engine.kafka.cluster import LATEST
from engine.kafka.connection import ConnectionLostError
from engine.kafka.produce import Appended
from engine.replication.board import Board
from engine.replication.partition import MirrorPartition
from engine.replication.pump import Append
from engine.runbook.divergence import (
    DIVERGENCE,
    Divergence,
    Exported,
    Mode,
    Standing,
    WayBack,
    export,
    find,
    keep,
    kept,
    pass_over,
    read_record,
    seed,
    set_aside,
    settle,
    way_back,
)
from engine.runbook.divergence.carrier import Carrier
from engine.sandbox import ClusterSpec, Sandbox
from tests.kafka.engines import producer, read, until, until_async
from tests.kafka.group_tools import cluster, commit, offset_of
from tests.kafka.old_primary import Site, configuration, fail_over, find_told, verified

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]


@dataclass(frozen=True)
class Lab:
    """One disaster for all tests of this file; each has a topic and flows of its own."""

    sandbox: Sandbox
    sites: dict[str, Site]


Row = tuple[str, int, int, int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]
KNOWS_LITTLE = {"checkpoint_interval": "1m"}
"""The engine is killed before it has written down what it mirrored."""
NAMES = ("found", "answers", *Mode)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Clusters of its own: the source's broker is killed."""
    folder = tmp_path_factory.mktemp("divergence")
    clusters = {"east": ClusterSpec(), "west": ClusterSpec()}
    sandbox = Sandbox(folder / "sandbox", clusters, ephemeral=True)
    asyncio.run(sandbox.up())
    try:
        sites = {name: Site(sandbox, folder, name, KNOWS_LITTLE) for name in NAMES}
        for mode in (Mode.KEEP_ASIDE, Mode.DISCARD):
            sites[mode].settings = {"checkpoint_interval": "50ms"}
        asyncio.run(fail_over(sandbox, folder, list(sites.values()), 30))
        yield Lab(sandbox, sites)
    finally:
        asyncio.run(sandbox.down())


async def test_what_never_arrived_is_found_exactly(lab: Lab) -> None:
    """Against what a consumer reads on both sides; and found again it is the same."""
    site = lab.sites["found"]
    async with site.opened() as owner:
        found = await find_told(owner)
        again = await find(owner.sides, owner.record)
    east, west = Counter(await site.content("east")), Counter(await site.content("west"))
    missing = east - west
    parts = {each.key: each for each in found.partitions}
    assert {key: each.standing for key, each in parts.items()} == {
        (site.topic, 0): Standing.DIVERGED,
        (site.topic, 1): Standing.DIVERGED,
        (site.late_topic, 0): Standing.DIVERGED,
    }
    records = await read(site.sandbox, "east", site.topic)
    for number in (0, 1):
        each = parts[site.topic, number]
        beyond = [row for row in records if row.partition == number and row.offset >= each.first]
        content = Counter((number, r.key, r.value, tuple(r.headers), r.timestamp) for r in beyond)
        assert content == Counter({row: n for row, n in missing.items() if row[0] == number})
        assert each.records == len(beyond)
        assert (each.first_ms, each.last_ms) == (
            min(r.timestamp for r in beyond),
            max(r.timestamp for r in beyond),
        )
        own = [row for row in west - east if row[0] == number]
        assert each.own_records == len(own)
        assert each.rewritten_keys == len(
            ({r.key for r in beyond} & {row[1] for row in own}) - {None}
        )
        assert each.rewritten_keys
    assert parts[site.late_topic, 0].records == 1
    assert found.partitions == again.partitions
    assert DIVERGENCE.validate_json(DIVERGENCE.dump_json(found)) == found


async def test_the_export_is_whole_private_and_the_same_again(lab: Lab, tmp_path: Path) -> None:
    """A file and the quarantine topic, byte by byte what aiokafka reads on the source."""
    site = lab.sites["found"]
    path = tmp_path / "diverged.jsonl"
    async with site.opened() as owner:
        found = await find_told(owner)
        leave_half(path)
        written = await export(owner.sides, found, path)
        first = path.read_bytes()
        again = await export(owner.sides, found, path)
        aside = await set_aside(owner.sides, owner.record, found)
        aside_again = await set_aside(owner.sides, owner.record, found)
    expected = await diverged_rows(site, found)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (written.records, written.already, path.read_bytes()) == (len(expected), 0, first)
    assert (again.records, again.already, again.sha256) == (
        len(expected), len(expected), written.sha256,
    )  # fmt: skip
    assert [exported(line) for line in first.splitlines()] == expected
    assert names_in(tmp_path) == [path.name]
    assert (aside.records, aside.already) == (len(expected), 0)
    assert (aside_again.records, aside_again.already) == (len(expected), len(expected))
    quarantined = await read(site.sandbox, "west", f"ccr.{site.there}.quarantine.internal")
    assert sorted(put_aside(row) for row in quarantined) == sorted(expected)


async def test_an_export_never_replaces_another_file(lab: Lab, tmp_path: Path) -> None:
    """Neither a stranger's, nor one that lacks a record or has one twice."""
    site = lab.sites["found"]
    path = tmp_path / "diverged.jsonl"
    async with site.opened() as owner:
        found = await find_told(owner)
        await export(owner.sides, found, path)
        lines = path.read_bytes().splitlines(keepends=True)
        for content in (lines[:-1], [*lines, lines[-1]], [b"mine\n"], [*lines[1:], lines[0]][:-1]):
            path.write_bytes(b"".join(content))
            with pytest.raises(RefusedError, match="holds something else"):
                await export(owner.sides, found, path)
            assert path.read_bytes() == b"".join(content)


def leave_half(path: Path) -> None:
    """As a try does that was killed."""
    half = path.with_name(f".{path.name}.partial")
    half.write_bytes(b"half" * 10_000)
    half.chmod(0o644)


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def exported(line: bytes) -> Row:
    """Take a line of the export apart."""
    row = json.loads(line)
    headers = tuple((name, decoded(value)) for name, value in row["headers"])
    content = decoded(row["key"]), decoded(row["value"]), headers
    return (row["topic"], row["partition"], row["offset"], row["timestamp"], *content)


def decoded(value: str | None) -> bytes | None:
    return None if value is None else base64.b64decode(value, validate=True)


def put_aside(row: ConsumerRecord[bytes, bytes]) -> Row:
    """Take a record of the quarantine topic apart."""
    said = {name: value.decode() for name, value in row.headers if name.startswith("ccr.")}
    own = tuple(each for each in row.headers if not each[0].startswith("ccr."))
    place = said["ccr.source.topic"], int(said["ccr.source.partition"])
    at = int(said["ccr.source.offset"]), int(said["ccr.source.timestamp"])
    return (*place, *at, row.key, row.value, own)


async def diverged_rows(site: Site, found: Divergence) -> list[Row]:
    """Read with aiokafka what was found."""
    parts = {each.key: each for each in found.partitions}
    rows = [
        row
        for topic in (site.topic, site.late_topic)
        for row in await read(site.sandbox, "east", topic)
        if parts[row.topic, row.partition].first <= row.offset
    ]
    return [
        (r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers))
        for r in sorted(rows, key=lambda r: (r.topic, r.partition, r.offset))
    ]


Settling = Callable[[Site, Divergence, Mode, Exported | None], Awaitable[int]]
"""Settles, dying again and again; returns how often."""


@pytest.mark.parametrize("mode", list(Mode))
async def test_every_record_is_accounted_for(lab: Lab, tmp_path: Path, mode: Mode) -> None:
    """Settled, with an end at every append; the delta copied back, and nothing twice anywhere."""
    deaths = await accounted_for(lab.sites[mode], mode, tmp_path, settle_dying)
    assert (deaths > 3) is (mode is Mode.REINJECT)


async def accounted_for(site: Site, mode: Mode, folder: Path, settling: Settling) -> int:
    """Fail back by hand; return how often that was ended in between."""
    before = {side: Counter(await site.content(side)) for side in ("east", "west")}
    arrived = before["east"] & before["west"]
    missing, own = before["east"] - arrived, before["west"] - arrived
    async with site.opened() as owner:
        found = await find_told(owner)
        await keep(owner.remember, owner.record, found)
        kept_aside = None
        if mode is Mode.KEEP_ASIDE:
            with pytest.raises(RefusedError, match="0 are exported"):
                await settle(owner.sides, owner.record, owner.remember, found, mode)
            kept_aside = await export(owner.sides, found, folder / "aside.jsonl")
    deaths = await settling(site, found, mode, kept_aside)
    async with site.opened() as owner:
        assert kept(site.there, owner.record) == found
        settled = await settle(owner.sides, owner.record, owner.remember, found, mode, kept_aside)
        back = await read_record(site.back, owner.clusters["east"])
        planned = await way_back(found, owner.record, owner.reverse, back)
        assert await seed(owner.reverse, planned) == len(planned.partitions)
        assert await seed(owner.reverse, planned) == 0
    assert planned.bytes == sum(each.own_bytes for each in found.partitions)
    reinjected = mode is Mode.REINJECT
    assert not settled.failed
    assert sum(each.reinjected for each in settled.partitions) == found.records * reinjected
    assert all(bool(each.skipped) != reinjected for each in settled.partitions if each.records)
    west = Counter(await site.content("west"))
    assert west == arrived + own + (missing if reinjected else Counter())
    await copied_back(site, planned)
    assert Counter(await site.content("west")) == west
    assert Counter(await site.content("east")) == arrived + missing + own
    await home_again(site)
    return deaths


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", list(Mode))
async def test_five_thousand_records_are_accounted_for(tmp_path: Path, mode: Mode) -> None:
    """The process that re-injects is killed for real, again and again."""
    clusters = {"east": ClusterSpec(), "west": ClusterSpec()}
    async with Sandbox(tmp_path / "sandbox", clusters, ephemeral=True) as sandbox:
        site = Site(sandbox, tmp_path, mode)
        await fail_over(sandbox, tmp_path, [site], 5000)
        deaths = await accounted_for(site, mode, tmp_path, settle_killed)
    assert deaths or mode is not Mode.REINJECT


async def settle_killed(
    site: Site, found: Divergence, mode: Mode, kept_aside: Exported | None
) -> int:
    """Re-inject in processes of their own, killed at random moments."""
    if mode is not Mode.REINJECT:
        return 0
    path = site.folder / "reinject.json"
    path.write_text(json.dumps(configuration(site.sandbox, site.flows())))
    for deaths in range(60):
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.kafka.reinjecting", str(path), site.there),
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        assert await child.stdout.readline() == b"begins\n"
        try:
            async with asyncio.timeout(random.uniform(0, 0.02 * (deaths + 1))):
                assert await child.wait() == 0
        except TimeoutError:
            child.kill()
            await child.wait()
        else:
            return deaths
    raise AssertionError("it does not end")


async def settle_dying(
    site: Site, found: Divergence, mode: Mode, kept_aside: Exported | None
) -> int:
    """Settle with another owner each time, ended before or behind its next append."""
    for deaths in range(100):
        async with site.opened() as owner:
            with pytest.MonkeyPatch.context() as patch:
                killed = kill_at(patch, behind=deaths % 2 == 1)
                with contextlib.suppress(Killed):
                    await settle(owner.sides, owner.record, owner.remember, found, mode, kept_aside)
                if not killed:
                    return deaths
    raise AssertionError("it does not end")


async def test_answers_that_are_lost_double_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second append is carried out, and its connection ends before it says so."""
    site = lab.sites["answers"]
    before = {side: Counter(await site.content(side)) for side in ("east", "west")}
    append = Carrier._append
    lost: list[Appended] = []

    async def cut_off(self: Carrier, partition: MirrorPartition, out: Append) -> Appended:
        answer = await append(self, partition, out)
        if len(lost) % 2 == 0:
            lost.append(answer)
            raise ConnectionLostError("cut off")
        lost.append(answer)
        return answer

    monkeypatch.setattr(Carrier, "_append", cut_off)
    async with site.opened() as owner:
        found = await find_told(owner)
        settled = await settle(owner.sides, owner.record, owner.remember, found, Mode.REINJECT)
    assert len(lost) > 3
    assert not settled.failed
    missing = before["east"] - before["west"]
    assert Counter(await site.content("west")) == before["west"] + missing


class Killed(BaseException):
    """Nothing that would end a process is caught by it."""


def kill_at(patch: pytest.MonkeyPatch, *, behind: bool) -> list[bool]:
    """End the next settling at its first append that sends anything, before or behind it."""
    killed: list[bool] = []
    append = Carrier._append

    async def dying(self: Carrier, partition: MirrorPartition, out: Append) -> Appended:
        killed.append(True)
        if behind:
            await append(self, partition, out)
        raise Killed

    patch.setattr(Carrier, "_append", dying)
    return killed


def copied(board: Board) -> int:
    """Records since the engine began."""
    return sum(row.measures.records_total for row in board.partitions.values())


async def copied_back(site: Site, planned: WayBack) -> None:
    """Run the reverse flow until it is done: no more records and bytes than were planned."""
    config = site.config()
    engine = Engine(config, config_path="test", mode=EngineMode.SERVICE, only=(site.back,))
    await engine.start()
    try:
        board = engine.flow(site.back).board
        ends = {(each.topic, each.partition): each.counted_to for each in planned.partitions}

        def done() -> bool:
            rows = board.partitions
            return ends.keys() <= rows.keys() and all(
                rows[key].positioned and rows[key].acked.source >= end for key, end in ends.items()
            )

        await until(done, "all is copied back")
        measures = [row.measures for row in board.partitions.values()]
        assert copied(board) == planned.records
        assert sum(each.bytes_total for each in measures) <= planned.bytes
        assert [row.reason for row in board.partitions.values() if row.reason] == []
    finally:
        await engine.stop(10)


async def home_again(site: Site) -> None:
    """The flow passes over what was copied back, and mirrors on: what is new, and nothing else."""
    async with site.opened() as owner:
        back = await read_record(site.back, owner.clusters["east"])
        assert await pass_over(owner.sides, owner.record, owner.remember, back) == ()
        for (topic, number), checkpoint in owner.record.checkpoints.items():
            rows = [r for r in await read(site.sandbox, "east", topic) if r.partition == number]
            assert checkpoint.progress.source > max(row.offset for row in rows)
        await owner.state.release([])
    before = Counter(await site.content("west"))
    await translated_exactly(site)
    async with producer(site.sandbox, "east") as plain:
        await plain.send_and_wait(site.topic, b"home", partition=0, timestamp_ms=1)
    config = site.config()
    engine = Engine(config, config_path="test", mode=EngineMode.SERVICE)
    await engine.start()
    try:
        there, back_again = (engine.flow(name).board for name in (site.there, site.back))
        await until(lambda: copied(there) == 1, "mirrored again")
        assert copied(back_again) == 0
    finally:
        await engine.stop(10)
    assert Counter(await site.content("west")) - before == Counter([(0, None, b"home", (), 1)])
    await verified(site)


async def translated_exactly(site: Site) -> None:
    """A group that has read all of the new primary goes on behind all of the old one's log."""
    ends = {side: await end_of(site, side) for side in ("east", "west")}
    group = f"group-{site.topic}"
    await commit(site.sandbox, "west", group, {(site.topic, 0): ends["west"]})
    engine = Engine(site.config(), config_path="test", mode=EngineMode.SERVICE, only=(site.back,))
    await engine.start()

    async def carried_over() -> bool:
        try:
            return await offset_of(site.sandbox, "east", group, (site.topic, 0)) is not None
        except GroupCoordinatorNotAvailableError:  # the cluster's first group
            return False

    try:
        await until_async(carried_over, "the group is on east")
    finally:
        await engine.stop(10)
    assert await offset_of(site.sandbox, "east", group, (site.topic, 0)) == ends["east"]


async def end_of(site: Site, side: str) -> int:
    """Return where partition 0's log ends."""
    async with cluster(site.sandbox, side) as connected:
        metadata = await connected.metadata([site.topic])
        key = site.topic, 0
        return (await connected.list_offsets({key: LATEST}, metadata))[key]
