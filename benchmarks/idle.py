"""What thousands of partitions cost while nothing happens in them."""

from __future__ import annotations

import asyncio
import itertools
import time

from benchmarks.replicators import REPLICATORS, Job
from benchmarks.runs import Case, Figures, using_cpu
from benchmarks.stage import Route, Stage

PREFIX = "idle."
PARTITIONS = 100  # of each topic
CREATED_TIMEOUT_S = 600.0
SETTLE_S = 20.0
_run = itertools.count(1)


def idle(topics: int, seconds: float) -> Case:
    """Mirror that many empty topics of 100 partitions, and look at the replicator for a while."""

    async def run(stage: Stage, who: str) -> Figures:
        alias = f"idle{next(_run)}"
        job = Job(alias, "idle[.].*", stage.ends(Route.NEAR))
        running = await asyncio.to_thread(REPLICATORS[who], stage, job)
        try:
            async with stage.watch_target("", running.require_alive) as watch:
                prefix = f"{alias}.{PREFIX}"
                await watch.until_partitions(prefix, topics * PARTITIONS, CREATED_TIMEOUT_S)
                figures: Figures = {"mirrors_created_s": time.monotonic() - running.started_at}
                await asyncio.sleep(SETTLE_S)
                async with using_cpu(running, figures):
                    await asyncio.sleep(seconds)
                usage = running.usage()
                figures["rss_mb"] = usage.rss_bytes / 2**20
                figures["peak_rss_mb"] = usage.peak_rss_bytes / 2**20
                return figures
        finally:
            await asyncio.to_thread(running.stop)
            await stage.drop_all(f"{alias}.{PREFIX}")

    return run
