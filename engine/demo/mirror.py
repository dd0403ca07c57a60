"""The demo's engine: a real `ccr --no-ui` as a child, watched over its control socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.api.snapshots import FlowSnapshot, FlowState, PartitionSnapshot, PartitionState, Reason
from engine.demo.children import Child
from engine.demo.reading import Span
from engine.errors import ConnectError
from engine.service.client import EngineGoneError, RemoteEngineApi
from engine.service.paths import service_paths

POLL_S = 0.1
READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 60.0
DRAIN_TIMEOUT = "10s"  # it is asked to end when nothing is left to drain


@dataclass(frozen=True, slots=True)
class Usage:
    """What an engine's process took, as the operating system counts it."""

    exit_code: int
    cpu_seconds: float
    peak_rss_bytes: int


class Mirror:
    """An engine that runs one flow of a configuration."""

    def __init__(self, child: Child, config: Path, flow: str) -> None:
        """Take an engine over; `start` makes one."""
        self._child = child
        self._flow = flow
        self._api = RemoteEngineApi(service_paths(config).socket)
        self._rows: dict[tuple[str, int], PartitionSnapshot] = {}
        self._version = 0

    @classmethod
    async def start(cls, command: Sequence[str], config: Path, flow: str, log: Path) -> Mirror:
        """Start `command --no-ui --config …` and wait until it answers.

        Raises CcrError when it ends, and ConnectError when it does not answer in time.
        """
        options = ["--no-ui", "--config", str(config), "--drain-timeout", DRAIN_TIMEOUT]
        arguments = [*command, *options]
        child = await Child.start("ccr --no-ui", "engine.demo.tether", arguments, log)
        mirror = cls(child, config, flow)
        try:
            await mirror._wait_until_it_answers(log)
        except BaseException:
            await mirror.stop()
            raise
        return mirror

    async def _wait_until_it_answers(self, log: Path) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            try:
                await self._api.snapshot()
            except EngineGoneError as error:
                ended = self._child.has_ended
                if ended or time.monotonic() > deadline:
                    cause = "it ended" if ended else f"no answer within {READY_TIMEOUT_S:.0f} s"
                    raise ConnectError("starting", "ccr --no-ui", cause, f"See {log}") from error
                await asyncio.sleep(POLL_S)
            else:
                return

    async def flow(self) -> FlowSnapshot:
        """Return the flow as it is now; raises ConnectError."""
        snapshot = await self._api.snapshot()
        return next(flow for flow in snapshot.flows if flow.name == self._flow)

    async def drain(
        self,
        ends: Mapping[tuple[str, int], Span],
        timeout_seconds: float,
        tell: Callable[[str], None],
    ) -> str:
        """Wait until everything up to `ends` is mirrored; returns why it is not, "" when it is.

        Raises ConnectError when the engine is gone.
        """
        began = told = time.monotonic()
        while True:
            missing = await self._missing(ends)
            if not missing:
                return ""
            stopped = await self._why_stopped()
            if stopped:
                return stopped
            now = time.monotonic()
            if now > began + timeout_seconds:
                return f"{missing:,} records were not mirrored within {timeout_seconds:.0f} s"
            if now > told + 5:
                told = now
                tell(f"{missing:,} records to go")
            await asyncio.sleep(POLL_S)

    async def _missing(self, ends: Mapping[tuple[str, int], Span]) -> int:
        """Return how many offsets the engine does not say that it has mirrored."""
        page = await self._api.flows.partitions(self._flow, since=self._version)
        self._version = page.version
        self._rows.update({(row.topic, row.partition): row for row in page.partitions})
        missing = 0
        for key, span in ends.items():
            row = self._rows.get(key)
            reached = span.start if row is None or row.mirrored_to is None else row.mirrored_to
            missing += max(0, span.end - reached)
        return missing

    async def _why_stopped(self) -> str:
        """Return the reason why the flow or a partition stands still for good."""
        flow = await self.flow()
        if flow.state is FlowState.STOPPED:
            return f"the flow is stopped: {_told(flow.reason)}"
        for (topic, partition), row in self._rows.items():
            if row.state is PartitionState.STOPPED:
                return f"{topic}/{partition} is stopped: {_told(row.reason)}"
        return ""

    async def stop(self) -> Usage:
        """Ask the engine to end (SIGTERM), wait for its drain, and return what it took."""
        await self._api.close()
        return Usage(**await self._child.stop(STOP_TIMEOUT_S))


def _told(reason: Reason | None) -> str:
    if reason is None:
        return "no reason is known"
    return " ".join(part for part in (reason.text, reason.next_step) if part)
