"""An engine without Kafka behind a real control socket: 10,000 partitions, some of which move.

`python -m benchmarks.busy_engine SOCKET CHANGES EVERY` runs until it is ended; the file `asked`
beside the socket says how often it was asked for what changed.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import replace
from pathlib import Path

from engine import __version__
from engine.api.loss_snapshots import HistorySnapshot
from engine.api.snapshots import (
    ClusterSnapshot,
    EngineMode,
    EngineSnapshot,
    Event,
    FlowSnapshot,
    FlowState,
    Owner,
    PartitionSnapshot,
    PartitionsPage,
    PartitionState,
    RatePoint,
    Trend,
)
from engine.service.control import ControlServer
from engine.service.listening import listen

FLOW = "primary-to-dr"
TOPICS, PARTITIONS = 200, 50
HOUR = 720
TRENDS = (Trend.GROWING, Trend.DRAINING)


class BusyEngine:
    """Changes so many partitions each time `tick` is called."""

    def __init__(self, changes: int) -> None:
        self._changes = changes
        self._dice = random.Random(7)  # noqa: S311  (which ones move)
        self._started = time.time()
        self._version = 1
        self.flows = self
        self.asked = 0
        self._rows = {
            (f"topic-{topic:04}", number): _partition(f"topic-{topic:04}", number)
            for topic in range(TOPICS)
            for number in range(PARTITIONS)
        }
        self._keys = list(self._rows)

    def tick(self) -> None:
        """Let some partitions receive records, and be mirrored nearly as far."""
        self._version += 1
        for key in self._dice.sample(self._keys, self._changes):
            row, lag = self._rows[key], self._dice.randrange(1_000)
            end = (row.source_end or 0) + self._dice.randrange(2_000)
            self._rows[key] = replace(
                row,
                source_end=end,
                mirrored_to=end - lag,
                target_end=end - lag,
                lag_records=lag,
                lag_seconds=lag / 100,
                records_per_second=float(self._dice.randrange(5_000)),
                bytes_per_second=float(self._dice.randrange(1_000_000)),
                trend=TRENDS[lag % 2],
                observed_at=time.time(),
                version=self._version,
                lag_records_per_second=float(self._dice.randrange(-100, 100)),
            )

    async def snapshot(self) -> EngineSnapshot:
        """Return the flow as it is now."""
        now = time.time()
        points = tuple(RatePoint(now - 120 + n, 1e4 + n, 1e6, 1_000 * n) for n in range(120))
        lag = self._dice.randrange(1_000_000)
        flow = FlowSnapshot(
            FLOW, "primary", "dr", FlowState.RUNNING, None, Owner("e1", "host", 1, 1, now), True,
            TOPICS, TOPICS * PARTITIONS, 0, 0, lag, lag / 1e5, 1e5, 1e7, 10**9, 10**11, None,
            points, now,
        )  # fmt: skip
        clusters = tuple(
            ClusterSnapshot(name, (f"{name}:9092",), "development", True, None, 3, now)
            for name in ("primary", "dr")
        )
        return EngineSnapshot(
            __version__, "e1", EngineMode.SERVICE, "host", 1, "/busy.yaml", False, self._started,
            now, clusters, (flow,),
        )  # fmt: skip

    async def events(self, since: int = 0) -> tuple[Event, ...]:
        """Nothing happens."""
        return ()

    async def partitions(self, flow: str, since: int = 0) -> PartitionsPage:
        """Return what changed."""
        self.asked += 1
        rows = tuple(row for row in self._rows.values() if row.version > since)
        return PartitionsPage(flow, self._version, len(self._rows), rows)

    async def history(self, flow: str, topic: str | None = None) -> HistorySnapshot:
        """Return an hour."""
        now = time.time()
        at = tuple(now - 5.0 * (HOUR - n) for n in range(HOUR))
        values = tuple(float(n % 97) for n in range(HOUR))
        return HistorySnapshot(flow, topic, 5.0, at, values, values, values, values, values)


def _partition(topic: str, number: int) -> PartitionSnapshot:
    end = 1_000_000
    return PartitionSnapshot(
        FLOW, topic, number, topic, PartitionState.RUNNING, None, end, end, end, 0, 0.0, 0.0, 0.0,
        Trend.IN_STEP, time.time(), 1,
    )  # fmt: skip


async def _serve(socket: Path, changes: int, every: float) -> None:
    engine = BusyEngine(changes)
    server = ControlServer(engine, socket)  # type: ignore[arg-type]  # what a console asks of it
    await server.start(listen(socket))
    due = time.monotonic()
    while True:
        engine.tick()
        written = socket.with_name("asked.new")
        written.write_text(str(engine.asked))
        written.replace(socket.with_name("asked"))
        due += every
        await asyncio.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
