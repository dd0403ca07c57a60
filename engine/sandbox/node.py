"""One broker of a sandbox, and what can be done to it."""

from __future__ import annotations

import asyncio
import signal
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import SandboxError
from engine.sandbox.broker import BrokerHome, ClusterSpec, broker_properties
from engine.sandbox.health import wait_until_ready
from engine.sandbox.java import JavaKit
from engine.sandbox.ports import is_free
from engine.sandbox.state import ClusterState, NodeState

READY_TIMEOUT_SECONDS = 90.0
STOP_TIMEOUT_SECONDS = 30.0
_PORT_TIMEOUT_SECONDS = 1.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Node:
    """A broker with all that acting on it takes; `save` writes the sandbox's state down."""

    cluster_name: str
    cluster: ClusterState
    state: NodeState
    home: BrokerHome
    authority_folder: Path
    save: Callable[[], None]

    def __str__(self) -> str:
        return f"broker {self.state.id} of {self.cluster_name}"

    @property
    def is_running(self) -> bool:
        """Whether its process is alive (it may be frozen)."""
        return self.state.find_process() is not None

    async def freeze(self) -> None:
        """Stop its process (SIGSTOP); raises `SandboxError` when it does not run."""
        process = self.state.find_process()
        if process is None or not await process.freeze():
            raise SandboxError("freeze", str(self), "it does not run", "Start it first.")

    async def thaw(self) -> None:
        """Let its process go on (SIGCONT); raises `SandboxError` when it does not run."""
        process = self.state.find_process()
        if process is None or not await process.thaw():
            raise SandboxError("continue", str(self), "it does not run", "Start it first.")

    async def require_free_ports(self) -> None:
        """Raise `SandboxError` when another program has a port of this broker."""
        # A process killed just now may hold its ports a moment longer.
        deadline = time.monotonic() + _PORT_TIMEOUT_SECONDS
        for port in self.state.ports:
            while not is_free(port):
                if time.monotonic() > deadline:
                    raise SandboxError(
                        "start", str(self), f"port {port} is taken by another program",
                        "Stop that program, or use another sandbox folder (--dir).",
                    )  # fmt: skip
                await asyncio.sleep(_POLL_SECONDS)

    async def prepare(self, kit: JavaKit) -> None:
        """Write the settings, and format the data folder if it never was."""
        security = ClusterSpec.from_state(self.cluster.spec).security
        if security is not None:
            security.prepare(self.home.folder, self.authority_folder)
        self.home.write_properties(broker_properties(self.cluster, self.state, self.home.data))
        if not self.home.is_formatted:
            token = self._new_token()
            await self.home.format(kit, self.cluster.cluster_id, token, security)

    def start(self, kit: JavaKit) -> None:
        """Start the process; the broker is not ready yet."""
        token = self._new_token()
        self.state.process = self.home.start(kit, ClusterSpec.from_state(self.cluster.spec), token)
        self.save()

    async def wait_until_ready(self, peers: Sequence[int]) -> None:
        """Wait until it serves requests, and for its `peers` (broker numbers) to have joined."""
        await wait_until_ready(
            self.state.port,
            self.state.id,
            peers,
            timeout_seconds=READY_TIMEOUT_SECONDS,
            check_alive=self._require_alive,
        )

    async def stop(self, *, kill: bool = False) -> None:
        """End the process by SIGTERM (SIGKILL when `kill` or when that takes too long)."""
        process = self.state.find_process()
        if process is not None and not kill:
            await process.thaw()
            process.send(signal.SIGTERM)
            if await process.ended(STOP_TIMEOUT_SECONDS):
                process = None
        if process is not None:
            process.send(signal.SIGKILL)
            if not await process.ended(STOP_TIMEOUT_SECONDS):
                raise SandboxError("stop", str(self), f"process {process.pid} survives SIGKILL")
        self.state.process = self.state.token = None
        self.save()

    def _new_token(self) -> str:
        """Return a new mark for a process of this broker.

        It is written down before the process starts: should we end before its pid is, the
        process can still be found.
        """
        token = uuid.uuid4().hex
        self.state.token, self.state.process = token, None
        self.save()
        return token

    def _require_alive(self) -> None:
        if not self.is_running:
            raise SandboxError(
                "start", str(self), f"its process ended: {self.home.last_words()}",
                f"See {self.home.log_file}",
            )  # fmt: skip
