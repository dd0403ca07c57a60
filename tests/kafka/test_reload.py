"""A configuration that changes under load: what did not change goes on, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine.api.config_snapshots import Applied, EffectKind
from engine.api.local import LocalEngineApi
from engine.api.snapshots import EngineMode, FlowState
from engine.config import loader
from engine.config.editing.edits import Edit, Put, Remove
from engine.config.problems import InvalidConfigError
from engine.engine import Engine
from engine.reload import applying
from engine.replication.state_records import decode_value, state_topic
from engine.sandbox import Sandbox
from tests.kafka.engines import FreshTopic, create, producer, read, until

pytestmark = pytest.mark.kafka

PARTITIONS = 2
LEAST = 200
"""Records that every topic gets between two changes."""
FILE = """\
version: 1
clusters:
  east: {{bootstrap_servers: [{east}]}}
  spare:   # east by another name
    bootstrap_servers: [{east}]
  west: {{bootstrap_servers: [{west}]}}
flows:
  {still}:
    source: east
    target: west
    topics: {{include: [{still}]}}  # goes on all the time
  {changing}:
    source: spare
    target: west
    topics: {{include: [{changing}]}}
    checkpoint_interval: 500ms
"""


@dataclass
class Site:
    """An engine on a file, and load on every topic that a flow takes (or took, or will take)."""

    sandbox: Sandbox
    engine: Engine
    api: LocalEngineApi
    still: str
    changing: str
    coming: str
    written: dict[str, int] = field(default_factory=dict)
    loading: asyncio.Task[None] | None = None

    @property
    def topics(self) -> tuple[str, str, str]:
        return self.still, self.changing, self.coming

    async def end_load(self) -> None:
        """Stop writing, and have all that was written on the source."""
        if self.loading is not None:
            self.loading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.loading

    async def load(self) -> None:
        """Write to all topics until cancelled."""
        async with producer(self.sandbox, linger_ms=5) as plain:
            while True:
                for topic in self.topics:
                    number = self.written.get(topic, 0)
                    await plain.send(topic, b"%d" % number, partition=number % PARTITIONS)
                    self.written[topic] = number + 1
                await asyncio.sleep(0.001)

    async def more(self) -> None:
        """Wait for more load, so that something is always under way when things change."""
        wanted = {topic: self.written.get(topic, 0) + LEAST for topic in self.topics}
        await until(lambda: all(self.written[t] >= wanted[t] for t in wanted), "more load")

    async def save(self, *edits: Edit) -> Applied:
        """Propose and save, as a form does; then wait until all flows run."""
        proposal = await self.api.config.propose(edits)
        assert proposal.problems == ()
        applied = await self.api.config.save(edits, proposal.digest)
        assert applied.effects == proposal.effects
        assert applied.notes == ()
        await self.all_run()
        await self.more()
        return applied

    async def all_run(self) -> None:
        def running() -> bool:
            flows = self.engine.flows.values()
            return all(flow.state()[0] is FlowState.RUNNING for flow in flows)

        await until(running, "all flows run")

    async def mirrored(self, topic: str) -> None:
        flow = self.engine.flow(topic)
        end = self.written[topic]

        def reached() -> bool:
            rows = flow.board.partitions.values()
            return sum(row.acked.source for row in rows if row.positioned) >= end

        await until(reached, f"{topic} mirrored up to {end}", 60)

    async def values(self, cluster: str, topic: str) -> list[tuple[int, bytes | None]]:
        return [(each.partition, each.value) for each in await read(self.sandbox, cluster, topic)]


@asynccontextmanager
async def site_of(
    sandbox: Sandbox, fresh_topic: FreshTopic, folder: Path
) -> AsyncIterator[tuple[Site, Path]]:
    names = {name: fresh_topic(name) for name in ("still", "changing", "coming")}
    for topic in names.values():
        await create(sandbox, topic, PARTITIONS)
    path = folder / "ccr.yaml"
    places = {name: sandbox.bootstrap(name) for name in ("east", "west")}
    path.write_text(FILE.format(**names, **places))
    engine = Engine(loader.load(path), config_path=str(path), mode=EngineMode.SERVICE)
    site = Site(sandbox, engine, LocalEngineApi(engine), **names)
    await engine.start()
    site.loading = asyncio.create_task(site.load())
    try:
        await site.all_run()
        await site.more()
        yield site, path
    finally:
        await site.end_load()
        await engine.stop(10)


def kinds(applied: Applied) -> dict[str, EffectKind]:
    """Return what was touched."""
    touched = (each for each in applied.effects if each.kind is not EffectKind.NOTHING)
    return {each.name: each.kind for each in touched}


def untouched(site: Site) -> tuple[Any, ...]:
    """Return what stays the very same as long as a flow goes on without an interruption."""
    flow = site.engine.flow(site.still)
    owner = flow.snapshot().owner
    assert owner is not None
    east, west = site.engine.clusters["east"], site.engine.clusters["west"]
    connections = [*east._connections.values(), *west._connections.values()]
    senders = list(flow._mirroring._links._senders.values()) if flow._mirroring else []
    return flow, flow._mirroring, owner.generation, east, west, connections, senders


async def test_reloads_under_load_lose_double_and_reorder_nothing(
    sandbox: Sandbox, fresh_topic: FreshTopic, tmp_path: Path
) -> None:
    async with site_of(sandbox, fresh_topic, tmp_path) as (site, path):
        still, changing, coming = site.topics
        await site.mirrored(still)
        as_it_was = untouched(site)
        new = {"source": "spare", "target": "west", "topics": {"include": [coming]}}

        applied = await site.save(Put(("flows", coming), new))
        assert kinds(applied) == {coming: EffectKind.START}
        rows = site.engine.flow(changing).board.version

        applied = await site.save(Put(("flows", changing, "checkpoint_interval"), "200ms"))
        assert kinds(applied) == {changing: EffectKind.RESTART}
        assert site.engine.flow(changing).board.version >= rows  # what is shown goes on
        generation = site.engine.flow(changing).snapshot().owner

        limits = {"bytes_per_second": "50MiB", "topics": {".*": "40MiB"}}
        applied = await site.save(Put(("flows", changing, "limits"), limits))
        assert kinds(applied) == {changing: EffectKind.CHANGE}
        changed = site.engine.flow(changing).snapshot()
        assert changed.limit_bytes_per_second == 50 * 2**20
        assert [each.bytes_per_second for each in changed.topic_limits] == [40 * 2**20]
        assert generation is not None
        assert changed.owner is not None
        assert changed.owner.generation == generation.generation

        applied = await site.save(
            Put(("clusters", "spare", "environment"), "staging"),
            Put(("clusters", "spare", "request_timeout"), "20s"),
        )
        assert kinds(applied) == dict.fromkeys(("spare", changing, coming), EffectKind.RESTART)

        applied = await site.save(
            Remove(("flows", coming)), Put(("flows", changing, "source"), "east"),
            Remove(("clusters", "spare")),
        )  # fmt: skip
        assert kinds(applied) == {
            coming: EffectKind.STOP, changing: EffectKind.RESTART, "spare": EffectKind.STOP,
        }  # fmt: skip
        assert list(site.engine.clusters) == ["east", "west"]

        with pytest.raises(InvalidConfigError, match="'spare' is not a cluster"):
            await site.api.config.save([Put(("flows", coming), new)], applied.digest)
        new["source"] = "east"
        applied = await site.save(Put(("flows", coming), new))
        assert kinds(applied) == {coming: EffectKind.START}

        assert untouched(site) == as_it_was
        assert "# goes on all the time" in path.read_text()
        text = path.read_text()
        path.write_text(text.replace("bootstrap_servers", "servers", 1))
        with pytest.raises(InvalidConfigError):
            await site.api.config.reload()
        path.write_text(text)
        assert not (await site.api.config.reload()).changed
        assert untouched(site) == as_it_was
        await site.end_load()
        for topic in site.topics:
            await site.mirrored(topic)
    for topic in site.topics:
        source = await site.values("east", topic)
        assert len(source) > 5 * LEAST
        assert await site.values("west", topic) == source


async def test_a_flow_that_is_not_drained_in_time_loses_and_doubles_nothing(
    sandbox: Sandbox, fresh_topic: FreshTopic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "DRAIN_S", 0.0)
    told: list[str] = []
    async with site_of(sandbox, fresh_topic, tmp_path) as (site, _path):
        for interval in range(100, 700, 100):
            edit = Put(("flows", site.changing, "checkpoint_interval"), f"{interval}ms")
            applied = await site.api.config.save([edit], (await site.api.config.document()).digest)
            told += applied.notes
            await site.all_run()
            await site.more()
        await site.end_load()
        await site.mirrored(site.changing)
    note = f"flow {site.changing} was not drained within 0 s; it goes on from its last checkpoint"
    assert note in told  # at least once something was under way
    source = await site.values("east", site.changing)
    assert len(source) > 6 * LEAST
    assert await site.values("west", site.changing) == source


async def _releases(sandbox: Sandbox, flow: str) -> int:
    """Count how often a flow was given up for others."""
    records = await read(sandbox, "west", state_topic(flow))
    owners = [decode_value(each.value) or {} for each in records if each.key == b"owner"]
    return sum(owner["released"] for owner in owners)


async def test_who_stands_by_does_not_take_a_flow_that_restarts(
    sandbox: Sandbox, fresh_topic: FreshTopic, tmp_path: Path
) -> None:
    async with site_of(sandbox, fresh_topic, tmp_path) as (site, path):
        other = Engine(loader.load(path), config_path=str(path), mode=EngineMode.SERVICE)
        await other.start()
        try:
            standing_by = other.flow(site.changing)
            await until(lambda: standing_by.state()[0] is FlowState.STANDBY, "it stands by")
            for interval in ("300ms", "400ms"):
                before = site.engine.flow(site.changing).snapshot().owner
                await site.save(Put(("flows", site.changing, "checkpoint_interval"), interval))
                after = site.engine.flow(site.changing).snapshot().owner
                assert before is not None
                assert after is not None
                assert (after.engine_id, after.generation) == (
                    before.engine_id, before.generation + 1,
                )  # fmt: skip
            assert standing_by.state()[0] is FlowState.STANDBY
            assert await _releases(sandbox, site.changing) == 0
            await site.save(Remove(("flows", site.changing)))
            await until(lambda: standing_by.state()[0] is FlowState.RUNNING, "it takes over")
            assert await _releases(sandbox, site.changing) == 1
        finally:
            await other.stop(10)
