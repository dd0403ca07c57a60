"""One run of a replicator, into target topics of its own."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.replicators import FRANZ, REPLICATORS, Job, Running
from benchmarks.stage import Route, Stage

Figures = dict[str, float]
Case = Callable[[Stage, str], Awaitable[Figures]]
FIRST_RECORD_TIMEOUT_S = 120.0
_run = itertools.count(1)


@dataclass(frozen=True)
class Run:
    """A replicator at work and the prefix of its target topics."""

    running: Running
    alias: str

    def mirror(self, topic: str) -> str:
        """Name the target topic."""
        return f"{self.alias}.{topic}"


@asynccontextmanager
async def replicating(
    stage: Stage,
    who: str,
    *topics: str,
    partitions: int = 6,
    route: Route = Route.NEAR,
    linger_ms: int = 20,
) -> AsyncIterator[Run]:
    """Run a replicator over topics that are there; their mirrors are deleted afterwards."""
    alias = f"run{next(_run)}"
    if who == FRANZ:  # the others create theirs
        await stage.create(f"{alias}.{topics[0]}", partitions, on_target=True)
    job = Job(alias, "|".join(topics), stage.ends(route), linger_ms)
    running = await asyncio.to_thread(REPLICATORS[who], stage, job)
    try:
        yield Run(running, alias)
    finally:
        await asyncio.to_thread(running.stop)
        await stage.drop(*(f"{alias}.{topic}" for topic in topics))


@asynccontextmanager
async def using_cpu(running: Running, figures: Figures) -> AsyncIterator[None]:
    """Note how much of a core the replicator uses meanwhile, in per cent."""
    before, began = running.usage().cpu_seconds, time.monotonic()
    yield
    used = running.usage().cpu_seconds - before
    figures["cpu_percent"] = 100 * used / (time.monotonic() - began)
