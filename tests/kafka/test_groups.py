"""Consumer groups on real brokers: states, what is left alone, who takes over where."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import yaml
from aiokafka.protocol.admin import DeleteGroupsRequest

from ccr_tui.cli.main import main
from engine.api.group_snapshots import GroupState
from engine.kafka import groups
from engine.kafka.cluster import Cluster
from engine.kafka.group_wire import ListedGroup
from engine.kafka.groups import find_coordinators
from engine.sandbox import Sandbox
from tests.kafka.engines import FreshTopic, Running, create, producer, running, until_async
from tests.kafka.group_tools import (
    cluster,
    commit,
    commit_all,
    committed,
    member,
    offset_of,
    reaches,
    row,
)

pytestmark = pytest.mark.kafka

QUICK = {"interval": "500ms"}
CONSOLE = "org.apache.kafka.tools.consumer.ConsoleConsumer"
SHARE_CONSOLE = "org.apache.kafka.tools.consumer.ConsoleShareConsumer"


async def fill(sandbox: Sandbox, topic: str, first: int, end: int, partition: int = 0) -> None:
    """Produce numbers."""
    async with producer(sandbox) as plain:
        for number in range(first, end):
            await plain.send(topic, b"%d" % number, partition=partition)


async def shift(sandbox: Sandbox, topic: str) -> None:
    """Make the mirror's offsets differ by 3: a marker, an aborted record and its marker."""
    async with producer(sandbox, transactional_id=f"{topic}-txn") as txn:
        await txn.begin_transaction()
        await txn.send(topic, b"aborted", partition=0)
        await txn.abort_transaction()
        await txn.begin_transaction()
        await txn.send(topic, b"first", partition=0)
        await txn.commit_transaction()


async def start(sandbox: Sandbox, engine: Running, topic: str) -> None:
    """Mirror offsets 0 to 13: "first" at 2 and 0, then 0 to 9 at 4 and 1 and so on."""
    await shift(sandbox, topic)
    await fill(sandbox, topic, 0, 10)
    await engine.mirrored(topic, 14)


async def test_offsets_and_metadata_are_carried_over(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """In a run, in a gap, at the end, beyond it; the commit's metadata too; other groups not."""
    topic, name = fresh_topic("carried"), fresh_topic("g")
    await create(sandbox, topic)
    taken = {"include": [f"{name}-.*"], "exclude": [".*-not"], **QUICK}
    wanted = {"begin": (0, 0), "gap": (3, 1), "inside": (7, 4), "end": (14, 11), "not": (5, None)}
    async with running(sandbox, [topic], groups=taken) as engine:
        await start(sandbox, engine, topic)
        for each, (offset, _) in wanted.items():
            await commit(sandbox, "east", f"{name}-{each}", {(topic, 0): offset}, f"of {each}")
        for each in wanted.keys() - {"not"}:
            found = await reaches(engine, f"{name}-{each}", GroupState.IN_STEP)
            assert (found.again, found.ahead, found.lost) == (0, 0, 0)
        assert await row(engine, f"{name}-not") is None
        offsets = await committed(sandbox, "west", [f"{name}-{each}" for each in wanted])
    for each, (_, target) in wanted.items():
        expected = {} if target is None else {(topic, 0): (target, f"of {each}")}
        assert offsets[f"{name}-{each}"] == expected


async def test_what_is_not_mirrored_yet_is_counted_as_lost(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """While the flow is paused: what is on neither side of the group's offset, and the clamp."""
    topic, behind, beyond = fresh_topic("clamped"), fresh_topic("behind"), fresh_topic("beyond")
    await create(sandbox, topic)
    async with running(sandbox, [topic], groups=QUICK) as engine:
        await start(sandbox, engine, topic)
        await engine.api.flows.pause(engine.name)
        await fill(sandbox, topic, 10, 30)
        await commit_all(sandbox, "east", {behind: {(topic, 0): 9}, beyond: {(topic, 0): 24}})

        async def counted() -> bool:
            found = await row(engine, behind)
            return found is not None and found.lost == 20

        await until_async(counted, "20 records are on the source alone")
        found = await reaches(engine, beyond, GroupState.IN_STEP)
        assert found.lost == 10
        assert (found.partitions[0].target_offset, found.again) == (11, 0)
        assert found.partitions[0].why == "it has read 10 offsets that are not mirrored yet"
        await engine.api.flows.resume(engine.name)
        await engine.mirrored(topic, 34)
        found = await reaches(engine, beyond, GroupState.IN_STEP)
        assert found.partitions[0].target_offset == 21
        assert found.lost == 0


async def test_a_classic_group_with_members_on_the_target_is_left_alone(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """Until its last member leaves; what would be read again is counted meanwhile."""
    topic, name = fresh_topic("active"), fresh_topic("g")
    await create(sandbox, topic)
    async with running(sandbox, [topic], groups=QUICK) as engine:
        await start(sandbox, engine, topic)
        await commit(sandbox, "east", name, {(topic, 0): 6})
        await reaches(engine, name, GroupState.IN_STEP)
        async with member(sandbox, "west", name, topic):
            await commit(sandbox, "east", name, {(topic, 0): 10})
            found = await reaches(engine, name, GroupState.ACTIVE)
            assert found.reason is not None
            assert found.target_state == "Stable"
            assert found.partitions[0].target_offset == 3
            assert found.again == 4
            assert await offset_of(sandbox, "west", name, (topic, 0)) == 3
        found = await reaches(engine, name, GroupState.IN_STEP)
        assert await offset_of(sandbox, "west", name, (topic, 0)) == 7


@pytest.mark.parametrize("rewind", [False, True])
async def test_a_group_is_rewound_only_when_that_is_asked_for(
    sandbox: Sandbox, fresh_topic: FreshTopic, rewind: bool
) -> None:
    """After a reset on the source."""
    topic, name = fresh_topic("rewound"), fresh_topic("g")
    await create(sandbox, topic)
    async with running(sandbox, [topic], groups={"rewind": rewind, **QUICK}) as engine:
        await start(sandbox, engine, topic)
        await commit(sandbox, "east", name, {(topic, 0): 12})
        await reaches(engine, name, GroupState.IN_STEP)
        await commit(sandbox, "east", name, {(topic, 0): 5})
        if rewind:
            await reaches(engine, name, GroupState.IN_STEP)
            assert await offset_of(sandbox, "west", name, (topic, 0)) == 2
            return
        found = await reaches(engine, name, GroupState.AHEAD)
        assert (found.again, found.ahead) == (0, 7)
        assert await offset_of(sandbox, "west", name, (topic, 0)) == 9
        await commit(sandbox, "east", name, {(topic, 0): 13})
        await reaches(engine, name, GroupState.IN_STEP)
        assert await offset_of(sandbox, "west", name, (topic, 0)) == 10


async def test_a_group_that_brokers_do_not_list_is_asked_for(
    sandbox: Sandbox, fresh_topic: FreshTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They list none that they have yet to load after a start: such a one is not taken for gone
    from the source, nor for one that has committed nothing on the target."""
    topic, name = fresh_topic("unlisted"), fresh_topic("g")
    await create(sandbox, topic)
    async with running(sandbox, [topic], groups={"include": [name], **QUICK}) as engine:
        await start(sandbox, engine, topic)
        await commit(sandbox, "east", name, {(topic, 0): 12})
        await reaches(engine, name, GroupState.IN_STEP)
        await commit(sandbox, "east", name, {(topic, 0): 5})
        await reaches(engine, name, GroupState.AHEAD)

        async def lists_none(cluster: Cluster) -> dict[str, ListedGroup]:
            await cluster.metadata([])
            return {}

        monkeypatch.setattr(groups, "list_groups", lists_none)
        await reaches(engine, name, GroupState.AHEAD)
        assert await offset_of(sandbox, "west", name, (topic, 0)) == 9


async def test_a_group_that_goes_from_the_source_is_shown_and_left(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """By the next engine too; and forgotten once it is gone from the target as well."""
    topic, name, flow = fresh_topic("gone"), fresh_topic("g"), fresh_topic("flow")
    await create(sandbox, topic)
    async with running(sandbox, [topic], name=flow, groups=QUICK) as engine:
        await start(sandbox, engine, topic)
        await commit(sandbox, "east", name, {(topic, 0): 8})
        await reaches(engine, name, GroupState.IN_STEP)
    await delete(sandbox, "east", name)
    async with running(sandbox, [topic], name=flow, groups=QUICK) as engine:
        found = await reaches(engine, name, GroupState.GONE)
        assert found.partitions[0].target_offset == 5
        assert await offset_of(sandbox, "west", name, (topic, 0)) == 5
        await delete(sandbox, "west", name)

        async def forgotten() -> bool:
            return await row(engine, name) is None

        await until_async(forgotten, f"{name} is not shown any more")


async def test_groups_are_seen_without_an_engine(
    sandbox: Sandbox, fresh_topic: FreshTopic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the verb itself, from both clusters and the state topic; nothing is committed by that."""
    topic, name, flow = fresh_topic("unwatched"), fresh_topic("g"), fresh_topic("flow")
    await create(sandbox, topic)
    settings = {"groups": {"include": [f"{name}-.*"], **QUICK}, "sync": {"groups": False}}
    async with running(sandbox, [topic], name=flow, **settings) as engine:
        await start(sandbox, engine, topic)
        await commit(sandbox, "east", f"{name}-one", {(topic, 0): 9})
        await commit(sandbox, "west", f"{name}-one", {(topic, 0): 4})
        found = await reaches(engine, f"{name}-one", GroupState.BEHIND)
        assert found.partitions[0].why == "sync.groups is off"
    config = tmp_path / "c.yaml"
    clusters = {c: {"bootstrap_servers": sandbox.bootstrap(c).split(",")} for c in ("east", "west")}
    section = {"source": "east", "target": "west", "topics": {"include": [topic]}, **settings}
    config.write_text(
        yaml.safe_dump({"version": 1, "clusters": clusters, "flows": {flow: section}})
    )
    arguments = ["groups", flow, "--json", "--config", str(config)]
    assert await asyncio.to_thread(main, arguments) == 0
    page = json.loads(capsys.readouterr().out)["flows"][0]
    assert (page["flow"], page["commits"], len(page["groups"])) == (flow, False, 1)
    seen = page["groups"][0]["partitions"][0]
    offsets = (seen["source_offset"], seen["translated"], seen["target_offset"])
    assert offsets == (9, 6, 4)
    assert (seen["again"], seen["ahead"], seen["lost"]) == (2, 0, 0)
    assert await offset_of(sandbox, "west", f"{name}-one", (topic, 0)) == 4


async def delete(sandbox: Sandbox, name: str, group: str) -> None:
    """Delete a group."""
    async with cluster(sandbox, name) as connected:
        node = (await find_coordinators(connected, [group]))[group]
        assert isinstance(node, int), node
        answer = await connected.request(DeleteGroupsRequest([group]), node)
        assert [error for _, error in answer.results] == [0]


@contextlib.asynccontextmanager
async def console(
    sandbox: Sandbox, cluster: str, tool: str, group: str, topic: str, *more: str
) -> AsyncIterator[list[str]]:
    """Run one of Kafka's console consumers; yields the lines that it has printed so far."""
    arguments = [
        *("--bootstrap-server", sandbox.bootstrap(cluster), "--topic", topic, "--group", group),
        *more,
    ]
    process = await asyncio.create_subprocess_exec(
        *sandbox.java.command(tool, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=sandbox.java.environment(),
    )
    lines: list[str] = []

    async def read() -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            lines.append(line.decode().strip())

    reading = asyncio.create_task(read())
    try:
        yield lines
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGTERM)  # it leaves its group
        await process.wait()
        await reading


NEW_PROTOCOL = ("--command-property", "group.protocol=consumer")
EARLIEST = ("--command-property", "auto.offset.reset=earliest")


async def test_a_group_of_the_new_protocol_moves(sandbox: Sandbox, fresh_topic: FreshTopic) -> None:
    """KIP-848, by Kafka's own consumer: it reads on the target what it had not read, from the
    first record on; while it does, it is left alone."""
    topic, name = fresh_topic("new"), fresh_topic("g")
    await create(sandbox, topic)
    async with running(sandbox, [topic], groups=QUICK) as engine:
        await start(sandbox, engine, topic)
        args = (*NEW_PROTOCOL, *EARLIEST)
        async with console(sandbox, "east", CONSOLE, name, topic, *args) as lines:
            await until_async(_holds(lines, "9"), "it has read the source")
        await fill(sandbox, topic, 10, 20)
        await engine.mirrored(topic, 24)
        found = await reaches(engine, name, GroupState.IN_STEP)
        assert found.kind == "consumer"
        assert found.partitions[0].source_offset == 14
        async with console(sandbox, "west", CONSOLE, name, topic, *args) as lines:
            await until_async(_holds(lines, "19"), "it reads the target")
            found = await reaches(engine, name, GroupState.ACTIVE)
        assert lines == [str(number) for number in range(10, 20)]


def _holds(lines: list[str], line: str) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return line in lines

    return holds


async def test_share_groups_are_told_and_not_touched(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """KIP-932, by Kafka's own console consumer."""
    topic, name = fresh_topic("share"), fresh_topic("g")
    await create(sandbox, topic)
    async with running(sandbox, [topic], groups=QUICK) as engine:
        await start(sandbox, engine, topic)
        async with console(sandbox, "east", SHARE_CONSOLE, name, topic):
            found = await reaches(engine, name, GroupState.SHARE)
            assert (found.kind, found.partitions) == ("share", ())
            assert found.source_state == "Stable"


async def test_a_hundred_groups_of_a_hundred_partitions(
    sandbox: Sandbox, fresh_topic: FreshTopic
) -> None:
    """All are carried over; how long the rounds took is printed (benchmarks/RESULTS.md)."""
    topic, name = fresh_topic("many"), fresh_topic("g")
    await create(sandbox, topic, 100)
    async with producer(sandbox) as plain:
        for number in range(1_000):
            await plain.send(topic, b"%d" % number, partition=number % 100)
    names = [f"{name}-{number}" for number in range(100)]
    offsets = {each: {(topic, p): 1 + at % 10 for p in range(100)} for at, each in enumerate(names)}
    settings = {"include": [f"{name}-.*"], "interval": "1s"}
    async with running(sandbox, [topic], groups=settings) as engine:
        await engine.mirrored(topic, 1_000)
        await commit_all(sandbox, "east", offsets)
        asked = time.time()
        took = []

        async def all_in_step() -> bool:
            page = await engine.api.flows.groups(engine.name)
            if page.looked_at > asked and page.seconds not in took:
                took.append(page.seconds)
            return len(page.groups) == 100 and all(
                each.state == GroupState.IN_STEP for each in page.groups
            )

        await until_async(all_in_step, "all are in step")
    print(f"rounds took {took}")
    assert took
    found = await committed(sandbox, "west", names)
    assert {each: {key: at for key, (at, _) in rows.items()} for each, rows in found.items()} == (
        offsets
    )
