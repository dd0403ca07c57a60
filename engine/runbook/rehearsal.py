"""Rehearsal: a planned switch of throw-away topics and a throw-away group on the real clusters.

The steps are those of a real switch, by the same code, on a flow of its own that is gone
afterwards; only your cut-over command is not run, as it would move real clients, and no flow back
is made. The topics are internal by name (`ccr.<flow>.<n>.sample.internal`): no flow's regex takes
them.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from engine.api.runbook_snapshots import (
    Run,
    RunKind,
    RunOptions,
    RunState,
    Step,
    StepName,
    StepState,
)
from engine.api.snapshots import Reason
from engine.config.flow_section import FlowConfig
from engine.engine import Engine
from engine.errors import CcrError, KafkaError
from engine.kafka import batch as b
from engine.kafka import groups
from engine.kafka import records as r
from engine.kafka.cluster import Cluster
from engine.kafka.connection import ConnectionLostError
from engine.kafka.group_offsets_wire import Commit
from engine.kafka.topics import delete_topics
from engine.replication import internal_topic
from engine.replication.backoff import Backoff
from engine.replication.state_records import state_topic

log = logging.getLogger(__name__)

TOPICS = 3
RECORDS = 200  # in each
READ = 120  # by the group, of each
MIRRORED_S = 60.0
CLEAN_S = 60.0
LOOK_S = 0.1

Begin = Callable[[str, RunKind, RunOptions], Awaitable[str]]
"""Plans and begins a run of a flow; returns its id."""
Look = Callable[[str], Run | None]
"""Returns a flow's run that is under way, or was last."""


class Rehearsal:
    """One rehearsal; `run` is what is shown and, in the end, journaled in the real flow's topic."""

    def __init__(self, engine: Engine, run: Run, begin: Begin, look: Look) -> None:
        self._engine = engine
        self._begin = begin
        self._look = look
        self._own = run
        self._name = f"rehearsal-{uuid.uuid4().hex[:6]}"
        self._section = _section(engine.config.flows[run.flow], self._name)
        self._source = engine.clusters[self._section.source]
        self._target = engine.clusters[self._section.target]

    @property
    def flow(self) -> str:
        """The throw-away flow."""
        return self._name

    @property
    def run(self) -> Run:
        """As it is now: making, the switch itself, cleaning up."""
        inner = self._look(self._name)
        make, clean = self._own.steps[0], self._own.steps[-1]
        between = inner.steps if inner is not None else self._own.steps[1:-1]
        return replace(self._own, steps=(make, *between, clean))

    async def carry_out(self) -> Run:
        """Make, switch, clean up whatever happened; returns the ended run."""
        error = await self._step(StepName.MAKE, self._make)
        inner = None
        if error is None:
            error, inner = await self._switch()
        if inner is not None:
            # The flow is gone with its journal in a moment: from here on this is all there is.
            self._own = replace(self._own, steps=self.run.steps)
            self._look = lambda _: None
        unclean = await self._step(StepName.CLEAN, self._clean)
        error = error or unclean
        self._own = replace(
            self._own,
            state=RunState.UNDONE if error else RunState.DONE,
            ended=time.time(),
            reason=Reason(f"{error.operation} {error.object}: {error.cause}", error.next_step)
            if error
            else None,
        )
        return self._own

    async def _switch(self) -> tuple[CcrError | None, Run | None]:
        options = replace(self._own.options, reverse=False)
        try:
            await self._begin(self._name, RunKind.PROMOTE, options)
        except CcrError as error:
            return error, None
        run = await self._ended()
        if run.state is RunState.DONE:
            return None, run
        why = run.reason.text if run.reason else run.state.value
        return CcrError("rehearsing flow", self._own.flow, why, "See its steps"), run

    async def _ended(self) -> Run:
        while True:
            await asyncio.sleep(LOOK_S)
            run = self._look(self._name)
            if run is not None and (run.state.ended or run.state is RunState.FAILED):
                return run

    async def _step(self, name: StepName, act: Callable[[], Awaitable[str]]) -> CcrError | None:
        self._change(name, state=StepState.RUNNING, began=time.time())
        try:
            evidence = await act()
        except ConnectionLostError as lost:
            error: CcrError = KafkaError("rehearsing flow", self._own.flow, str(lost))
        except TimeoutError:
            error = KafkaError("rehearsing flow", self._own.flow, "it took too long")
        except CcrError as failed:
            error = failed
        else:
            self._change(name, state=StepState.DONE, ended=time.time(), evidence=(evidence,))
            return None
        reason = Reason(f"{error.operation} {error.object}: {error.cause}", error.next_step)
        self._change(name, state=StepState.FAILED, ended=time.time(), reason=reason)
        return error

    def _change(self, name: StepName, **values: Any) -> None:
        steps = tuple(
            replace(each, **values) if each.name is name else each for each in self._own.steps
        )
        self._own = replace(self._own, steps=steps)

    # making

    async def _make(self) -> str:
        for topic in self._section.topics.include:
            await self._fill(topic)
        await _commit(self._source, self._name, self._section.topics.include)
        flows = {**self._engine.config.flows, self._name: self._section}
        self._engine.config = self._engine.config.model_copy(update={"flows": flows})
        self._engine.open_flow(self._name, self._section)
        self._engine.connect_flows()
        await self._mirrored()
        return (
            f"{TOPICS} topics of {RECORDS} records and a group on {self._source.name}, mirrored to "
            f"{self._target.name} by flow {self._name}"
        )

    async def _fill(self, topic: str) -> None:
        leader = await internal_topic.ensure(self._source, topic, {})
        connection = await self._source.data_connection(leader)
        try:
            now = int(time.time() * 1000)
            rows = [
                r.RawRecord(0, now, 0, r.body(b"%d" % number, b"a rehearsal's record %d" % number))
                for number in range(RECORDS)
            ]
            batch = r.encode(rows, 0, (b.NO_PRODUCER_ID, -1, -1))
            await internal_topic.append(connection, topic, batch)
        finally:
            connection.abort("closed by ccr")

    async def _mirrored(self) -> None:
        board = self._engine.flow(self._name).board
        async with asyncio.timeout(MIRRORED_S):
            while True:
                await asyncio.sleep(LOOK_S)
                arrived = [
                    each
                    for each in board.partitions.values()
                    if each.positioned and each.acked.source >= RECORDS
                ]
                if len(arrived) == TOPICS:
                    return

    # cleaning up

    async def _clean(self) -> str:
        flow = self._engine.flows.pop(self._name, None)
        flows = {k: v for k, v in self._engine.config.flows.items() if k != self._name}
        self._engine.config = self._engine.config.model_copy(update={"flows": flows})
        self._engine.connect_flows()
        if flow is not None:
            await flow.stop(5)
        topics = list(self._section.topics.include)
        async with asyncio.timeout(CLEAN_S):
            await _delete(self._source, topics)
            await _delete(self._target, [*topics, state_topic(self._name)])
        return f"{len(topics)} topics are gone from both clusters, and the flow's state topic"


def rehearsal_steps(switch: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return a rehearsal's steps around those of the switch itself."""
    make = Step(
        StepName.MAKE, "Make throw-away topics and a group, and mirror them", "", MIRRORED_S
    )
    clean = Step(StepName.CLEAN, "Delete all that was made", "", CLEAN_S)
    return make, *switch, clean


def _section(real: FlowConfig, name: str) -> FlowConfig:
    """Return the throw-away flow's section: the real one's, on topics and a group of its own."""
    section = real.model_dump(mode="json", exclude_unset=True)
    topics = [f"ccr.{name}.{number}.sample.internal" for number in range(TOPICS)]
    switch = {**section.get("switch", {}), "cut_over": None, "reverse": False}
    section |= {
        "topics": {"include": topics},
        "groups": {**section.get("groups", {}), "include": [name], "exclude": []},
        "switch": switch,
        "start": "earliest",
        "topic_refresh": 0.5,
    }
    section.pop("mm2", None)
    return FlowConfig.model_validate(section)


async def _commit(cluster: Cluster, group: str, topics: list[str]) -> None:
    """Commit for the group; its coordinator may need a moment on a cluster without groups."""
    backoff = Backoff(0.1, 2.0)
    async with asyncio.timeout(MIRRORED_S):
        while True:
            node = (await groups.find_coordinators(cluster, [group]))[group]
            if isinstance(node, int):
                rows = {(topic, 0): Commit(READ, "") for topic in topics}
                refused = await groups.commit_offsets(cluster, node, group, rows)
                if not refused:
                    return
            elif not node.retriable:
                raise node
            await backoff.sleep()


async def _delete(cluster: Cluster, topics: list[str]) -> None:
    for error in (await delete_topics(cluster, topics)).values():
        raise error
