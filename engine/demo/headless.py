"""`ccr demo --no-ui`: produce for a while, drain, compare both clusters record by record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.demo.compare import compare
from engine.demo.comparison import Comparison
from engine.demo.mirror import Mirror, Usage
from engine.demo.reading import Reader
from engine.demo.stage import FLOW, SOURCE, TARGET, TOPICS, Stage
from engine.demo.traffic import TrafficReport
from engine.errors import ConnectError
from engine.sandbox.progress import Progress
from engine.service.client import EngineGoneError

DRAIN_TIMEOUT_S = 120.0
TELL_EVERY_S = 5.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class HeadlessOptions:
    """How long and how fast."""

    engine: Sequence[str]
    """The command that is ccr; `--no-ui --config FILE` is added."""
    seconds: float
    rate: float
    """Records/s, all topics together."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What came of it."""

    traffic: TrafficReport
    comparison: Comparison
    usage: Usage
    mirrored_seconds: float  # from the first record until all were mirrored
    drain_seconds: float  # from the last record until all were mirrored
    not_drained: str  # why, "" when everything was

    @property
    def ok(self) -> bool:
        """Whether every record produced arrived: once, unaltered, in order."""
        return (
            self.comparison.identical
            and self.traffic.records == self.comparison.target_records
            and not self.traffic.failed
            and not self.not_drained
            and self.usage.exit_code == 0
        )

    def to_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        found = self.comparison
        return {
            "ok": self.ok,
            "produced": self.traffic.records,
            "replicated": found.target_records,
            "lost": found.lost,
            "duplicated": found.duplicated,
            "reordered": found.reordered,
            "mismatched": found.mismatched,
            "records_per_second": round(found.target_records / self.mirrored_seconds, 1),
            "engine_cpu_seconds": round(self.usage.cpu_seconds, 3),
            "engine_peak_rss_bytes": self.usage.peak_rss_bytes,
            "engine_exit_code": self.usage.exit_code,
            "produced_bytes": self.traffic.bytes,
            "produced_by_topic": self.traffic.produced,
            "produce_failures": self.traffic.failed,
            "produce_error": self.traffic.error or None,
            "seconds": round(self.traffic.seconds, 3),
            "drain_seconds": round(self.drain_seconds, 3),
            "not_drained": self.not_drained or None,
            "examples": [str(example) for example in found.examples],
        }


async def run_headless(options: HeadlessOptions, tell: Tell) -> DemoResult:
    """Run it all; `tell` gets sentences on the way. Cancelled, it leaves nothing behind.

    Raises SandboxError (clusters), ConnectError (engine), KafkaError (traffic, comparison).
    """
    stage = Stage()
    try:
        await stage.up(lambda progress: _tell_progress(progress, tell))
        return await _on(stage, options, tell)
    finally:
        await stage.down()


def _tell_progress(progress: Progress, tell: Tell) -> None:
    # Downloads count by the dozen; one line in a while is enough.
    if progress.done is None or progress.done % 20 == 0:
        tell(str(progress))


async def _on(stage: Stage, options: HeadlessOptions, tell: Tell) -> DemoResult:
    tell(f"Starting the engine on {stage.config}")
    log = stage.folder / "engine.log"
    mirror = await Mirror.start(options.engine, stage.config, FLOW, log)
    try:
        tell(f"Producing {options.rate:,.0f} records/s for {options.seconds:g} s")
        await stage.start_traffic(rate=options.rate, seed=options.seed)
        began = time.monotonic()
        await _watch(mirror, began + options.seconds, tell)
        traffic = await stage.stop_traffic()
        stopped = time.monotonic()
        tell(f"Stopped after {traffic.records:,} records; draining")
        async with Reader(stage.sandbox.bootstrap(SOURCE)) as reader:
            ends = await reader.spans(TOPICS)
        not_drained = await mirror.drain(ends, DRAIN_TIMEOUT_S, tell)
        drained = time.monotonic()
    except EngineGoneError as error:
        cause = "it ended, or no longer answers"
        raise ConnectError("running", "the demo's engine", cause, f"See {log}") from error
    finally:
        usage = await mirror.stop()
    tell("Comparing both clusters record by record")
    comparison = await compare(
        stage.sandbox.bootstrap(SOURCE),
        stage.sandbox.bootstrap(TARGET),
        {topic: topic for topic in TOPICS},
    )
    return DemoResult(traffic, comparison, usage, drained - began, drained - stopped, not_drained)


async def _watch(mirror: Mirror, until: float, tell: Tell) -> None:
    """Say now and then how the flow does; raises ConnectError when the engine is gone."""
    while (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(left, TELL_EVERY_S))
        flow = await mirror.flow()
        lag = "unknown" if flow.lag_records is None else f"{flow.lag_records:,}"
        tell(f"{flow.state}: {flow.records_total:,} records mirrored, lag {lag}")
