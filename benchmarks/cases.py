"""What is measured, one run at a time."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from benchmarks.console import open_console
from benchmarks.groups import group_reread
from benchmarks.idle import PARTITIONS, PREFIX, idle
from benchmarks.latency import Probe, latency
from benchmarks.replicators import FRANZ
from benchmarks.runs import FIRST_RECORD_TIMEOUT_S, Case, Figures, replicating
from benchmarks.stage import Data, Route, Stage

BULK = Data("bulk", 3_000_000, 1_000, "lz4", 65_536, 5)
TINY = Data("tiny", 500_000, 200, "none", 1, 0)
TRICKLE = Data("trickle", 1_000, 100, "none", 16_384, 0)
ZSTD_JSON = Data("json", 2_000_000, 890, "zstd", 131_072, 20, json=True)
HOT = Data("hot", 1_500_000, 1_000, "lz4", 65_536, 5, partitions=1)
FAR_BULK = Data("far-bulk", 300_000, 1_000, "lz4", 65_536, 5)
FAR_TINY = Data("far-tiny", 200_000, 200, "none", 1, 0)
# Half of what the slower side does in bulk; more records than any run waits for.
HALF_LOAD = Data("load", 50_000_000, 1_000, "lz4", 65_536, 5)
HALF_LOAD_RATE = 50_000
IDLE_TOPICS = 100
REREAD_RECORDS = 400_000
QUICK = 10
RUN_TIMEOUT_S = 900.0

MM2, MM2_FURTHER = "MirrorMaker 2", "MirrorMaker 2 tuned further"
MM2_GROUPS = "MirrorMaker 2 with groups"
RATES = ("records_per_second", "records_per_second_from_start", "cpu_seconds", "peak_rss_mb")
LATENCY = ("latency_p50_ms", "latency_p99_ms")


def throughput(data: Data, route: Route = Route.NEAR) -> Case:
    """Mirror a full topic; records a second from the first to the last arrival."""

    async def run(stage: Stage, who: str) -> Figures:
        async with (
            replicating(stage, who, data.topic, partitions=data.partitions, route=route) as run_,
            stage.watch_target(run_.mirror(data.topic), run_.running.require_alive) as watch,
        ):
            await watch.until(1, 0.02, FIRST_RECORD_TIMEOUT_S)
            first, at_first = time.monotonic(), await watch.count()
            await watch.until(data.records, 0.05, RUN_TIMEOUT_S)
            last = time.monotonic()
            usage = run_.running.usage()
            return {
                "records_per_second": (data.records - at_first) / (last - first),
                "records_per_second_from_start": data.records / (last - run_.running.started_at),
                "cpu_seconds": usage.cpu_seconds,
                "peak_rss_mb": usage.peak_rss_bytes / 2**20,
            }

    return run


async def start_to_first_record(stage: Stage, who: str) -> Figures:
    """From the process's start to the first record on the target; the topic has records already."""
    async with (
        replicating(stage, who, TRICKLE.topic) as run,
        stage.watch_target(run.mirror(TRICKLE.topic), run.running.require_alive) as watch,
    ):
        await watch.until(1, 0.02, FIRST_RECORD_TIMEOUT_S)
        took = time.monotonic() - run.running.started_at
        return {"start_to_first_s": took, "cpu_seconds": run.running.usage().cpu_seconds}


def console_cost(data: Data) -> Case:
    """The engine's CPU seconds a GB, with a console attached and without (`who` says which)."""

    async def run(stage: Stage, who: str) -> Figures:
        async with (
            replicating(stage, "ccr", data.topic) as run_,
            stage.watch_target(run_.mirror(data.topic), run_.running.require_alive) as watch,
        ):
            with open_console(run_.running.config, enabled=who == "with console"):
                await watch.until(data.records, 0.05, RUN_TIMEOUT_S)
                gigabytes = data.records * data.size / 1e9
                return {"cpu_seconds_per_gb": run_.running.usage().cpu_seconds / gigabytes}

    return run


@dataclass(frozen=True)
class Comparison:
    """A case, who takes part, and which figures count; `data` is filled in beforehand."""

    name: str
    case: Case
    who: tuple[str, str]
    figures: tuple[str, ...]
    data: Data | None = None
    idle_topics: int = 0
    """Above 0: on brokers of its own, with that many empty topics in the source."""


def comparisons(*, quick: bool) -> list[Comparison]:
    """Return all cases at full or quick size."""

    def sized(data: Data) -> Data:
        return replace(data, records=data.records // QUICK) if quick else data

    def rate(name: str, data: Data, peer: str = MM2, route: Route = Route.NEAR) -> Comparison:
        case = throughput(sized(data), route)
        return Comparison(name, case, ("ccr", peer), RATES, sized(data))

    seconds = 5.0 if quick else 20.0
    topics = IDLE_TOPICS // QUICK if quick else IDLE_TOPICS
    return [
        rate("bulk", BULK),
        rate("bulk-further", BULK, MM2_FURTHER),
        rate("bulk-go", BULK, FRANZ),
        rate("tiny", TINY),
        rate("tiny-go", TINY, FRANZ),
        rate("zstd-json", ZSTD_JSON),
        rate("zstd-json-go", ZSTD_JSON, FRANZ),
        rate("hot-partition", HOT),
        rate("tls", BULK, route=Route.TLS),
        rate("far-source", FAR_BULK, route=Route.FAR_SOURCE),
        rate("far-source-tiny", FAR_TINY, route=Route.FAR_SOURCE),
        rate("far-target", FAR_BULK, route=Route.FAR_TARGET),
        rate("far-target-tiny", FAR_TINY, route=Route.FAR_TARGET),
        Comparison(
            "start",
            start_to_first_record,
            ("ccr", MM2),
            ("start_to_first_s", "cpu_seconds"),
            TRICKLE,
        ),
        Comparison("latency", latency(Probe(seconds)), ("ccr", MM2), LATENCY),
        Comparison(
            "latency-half-load",
            latency(Probe(seconds), load=HALF_LOAD, load_rate=HALF_LOAD_RATE),
            ("ccr", MM2),
            (*LATENCY, "cpu_percent"),
        ),
        Comparison(
            "trickle-1000",
            latency(Probe(seconds, records_per_second=1_000, partitions=1_000)),
            ("ccr", MM2),
            (*LATENCY, "cpu_percent"),
        ),
        Comparison(
            "console",
            console_cost(sized(BULK)),
            ("with console", "without console"),
            ("cpu_seconds_per_gb",),
            sized(BULK),
        ),
        Comparison(
            "group-reread",
            group_reread(REREAD_RECORDS // QUICK if quick else REREAD_RECORDS),
            ("ccr", MM2_GROUPS),
            ("reread_mean", "reread_worst"),
        ),
        Comparison(
            "idle-partitions",
            idle(topics, seconds * 3),
            ("ccr", MM2),
            ("mirrors_created_s", "cpu_percent", "rss_mb", "peak_rss_mb"),
            idle_topics=topics,
        ),
    ]


async def prepare(stage: Stage, comparison: Comparison) -> None:
    """Put into the source what a case needs."""
    if comparison.data is not None:
        await stage.fill(comparison.data)
    if comparison.idle_topics:
        await stage.create_many(PREFIX, comparison.idle_topics, PARTITIONS)
