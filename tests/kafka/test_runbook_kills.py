"""Whoever carries a run out dies: another engine undoes it, or finishes it, and no fence stays up.

Where it dies is generated from the run's own journal: behind every entry (in CI: where a step ends)
and, in the long form, in front of every entry, too, when a step has acted and nobody has noted it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from engine.api.runbook_snapshots import Run, RunKind, RunOptions, RunState, StepState
from engine.api.snapshots import FlowState
from engine.kafka.topic_configs import topic_configs
from engine.replication.flow import Flow
from engine.runbook.journal import Journal
from engine.runbook.steps import fence
from engine.sandbox import Sandbox
from tests.kafka.engines import FreshTopic, create, until, until_async
from tests.kafka.group_tools import cluster
from tests.kafka.switching import PARTITIONS, Hands, Site, everything, told

pytestmark = pytest.mark.kafka

KINDS = [RunKind.PROMOTE, RunKind.FAILOVER, RunKind.FAILBACK]  # a rehearsal runs the first
Entries = list[tuple[RunState, tuple[StepState, ...]]]


@dataclass
class Death:
    """Dies behind an entry of the journal, or in front of it; 0: never."""

    at: int = 0
    before: bool = False
    seen: Entries = field(default_factory=list)
    died: asyncio.Event = field(default_factory=asyncio.Event)

    async def _die(self) -> None:
        self.died.set()
        await asyncio.Event().wait()

    def into(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have every journal of this process die so, until `died`."""
        write = Journal.write

        async def written(journal: Journal, flow: Flow, run: Run) -> None:
            if not self.died.is_set():
                self.seen.append((run.state, tuple(step.state for step in run.steps)))
                if self.before and len(self.seen) == self.at:
                    await self._die()
            await write(journal, flow, run)
            if not self.died.is_set() and len(self.seen) == self.at:
                await self._die()

        monkeypatch.setattr(Journal, "write", written)


@asynccontextmanager
async def dying(site: Site, kind: RunKind, death: Death) -> AsyncIterator[None]:
    """Run an engine until it dies in a run; nothing of it goes on."""
    async with site.engine(graceful=False) as hands:
        await ready(hands, kind)
        plan = await hands.plan(kind)
        begun = asyncio.create_task(start(hands, kind, plan.digest))
        await asyncio.wait_for(death.died.wait(), 60)
        begun.cancel()
    yield


async def start(hands: Hands, kind: RunKind, digest: str) -> None:
    """Begin a run; may hang, as its journal does."""
    await hands.api.runbooks.start(hands.site.flow, kind, RunOptions(), digest)


async def prepared(kind: RunKind, sandbox: Sandbox, folder: Path, topic: str) -> Site:
    """Make a site whose runs are quick, with some records; failed over, to fail back."""
    await create(sandbox, topic, PARTITIONS)
    site = Site(sandbox, folder, f"flow-{topic}", topic, switch={"verify": "none"})
    await put(site, 0)
    if kind is RunKind.FAILBACK:
        async with site.engine() as hands:
            await ready(hands, RunKind.FAILOVER)
            await hands.start(RunKind.FAILOVER)
            run = await hands.ended()
            assert run.state is RunState.DONE, told(run)
    return site


async def ready(hands: Hands, kind: RunKind) -> None:
    """Wait until a run of that kind can begin."""
    flow = hands.engine.flow(hands.site.flow)
    if kind is RunKind.FAILBACK:
        await until(lambda: flow.state()[0] is FlowState.PROMOTED, "it is promoted")
    else:
        await until(lambda: flow.board.records_total == 20, "all is mirrored")


async def put(site: Site, first: int) -> None:
    """Write 20 records on the source."""
    producer = AIOKafkaProducer(bootstrap_servers=site.sandbox.bootstrap("east"))
    await producer.start()
    for number in range(first, first + 20):
        await producer.send_and_wait(site.topic, b"%020d" % number, partition=number % PARTITIONS)
    await producer.stop()


async def taken_up(site: Site, death: Death) -> None:
    """Let another engine find what was left, and look at what it makes of it."""
    async with site.engine() as hands:
        flow = hands.engine.flow(site.flow)
        await until(flow.looked.is_set, "it looks")
        flow.take_over()
        await until(lambda: flow.owned_here, "it owns the flow")
        if not (death.before and death.at == 1):  # else nobody knows of a run

            async def known() -> bool:
                return bool((await hands.api.runbooks.runs(site.flow)).runs)

            await until_async(known, "the run is known")
            run = await hands.ended()
            assert run.state is (RunState.DONE if run.crossed else RunState.UNDONE), told(run)
            assert run.interrupted <= 1
        promoted = flow.record.promotion is not None
        await fence_is_down(site)
        if promoted:
            await until(lambda: flow.state()[0] is FlowState.PROMOTED, "it is promoted")
            assert site.moved == ["west"] * len(site.moved)
            assert site.moved  # told at least once, and again where nobody knew
        else:
            await until(lambda: flow.state()[0] is FlowState.RUNNING, "it runs on")
            assert not site.moved
            await put(site, 20)
            await until(
                lambda: sum(p.acked.source for p in flow.board.partitions.values()) == 40,
                "it mirrors on",
            )
    expected = list(range(20 if promoted else 40))
    assert sorted(await everything(site, "west")) == expected


async def fence_is_down(site: Site) -> None:
    """Assert that the topic has no limit of its own."""
    async with cluster(site.sandbox, "east") as east:
        configs = await topic_configs(east, [site.topic], ["max.message.bytes"])
    assert "max.message.bytes" not in configs[site.topic].own_values


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fences be proven sooner: here nobody writes."""
    monkeypatch.setattr(fence, "QUIET_S", 0.2)


async def journal_of(site: Site, kind: RunKind, monkeypatch: pytest.MonkeyPatch) -> Entries:
    """Carry a whole run out; return its entries."""
    death = Death()
    with monkeypatch.context() as patched:
        death.into(patched)
        async with site.engine() as hands:
            await ready(hands, kind)
            await hands.start(kind)
            run = await hands.ended()
            assert run.state is RunState.DONE, told(run)
    return death.seen


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
async def test_killed_where_a_step_ends(
    kind: RunKind,
    sandbox: Sandbox,
    fresh_topic: FreshTopic,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: None,
) -> None:
    """At every boundary between two steps."""
    whole = await prepared(kind, sandbox, folder(tmp_path, 0), fresh_topic("kill"))
    entries = await journal_of(whole, kind, monkeypatch)
    done = [states.count(StepState.DONE) for _, states in entries]
    ends = [n for n, (one, other) in enumerate(itertools.pairwise(done), 2) if one < other]
    assert len(ends) == len(entries[0][1])
    for number in ends:
        await killed_at(Death(number), kind, sandbox, fresh_topic, tmp_path, monkeypatch)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("before", [False, True], ids=["behind", "in front of"])
@pytest.mark.parametrize("kind", KINDS)
async def test_killed_at_every_entry(
    kind: RunKind,
    before: bool,
    sandbox: Sandbox,
    fresh_topic: FreshTopic,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: None,
) -> None:
    """Inside every step, too."""
    whole = await prepared(kind, sandbox, folder(tmp_path, 0), fresh_topic("kill"))
    entries = await journal_of(whole, kind, monkeypatch)
    for number in range(1, len(entries) + 1):
        death = Death(number, before)
        await killed_at(death, kind, sandbox, fresh_topic, tmp_path, monkeypatch)


async def killed_at(
    death: Death,
    kind: RunKind,
    sandbox: Sandbox,
    fresh_topic: FreshTopic,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Die once, on a site of its own."""
    name = death.at * 2 + death.before
    site = await prepared(kind, sandbox, folder(tmp_path, name), fresh_topic("kill"))
    with monkeypatch.context() as patched:
        death.into(patched)
        async with dying(site, kind, death):
            pass
    try:
        await taken_up(site, death)
    except AssertionError as error:
        where = "in front of" if death.before else "behind"
        raise AssertionError(
            f"killed {where} entry {death.at}, {death.seen[-1]}: {error}"
        ) from error


def folder(tmp_path: Path, number: int) -> Path:
    """Make a folder for one configuration."""
    made = tmp_path / str(number)
    made.mkdir()
    return made
