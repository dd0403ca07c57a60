"""A process of a sandbox, broker or Connect worker, and what can be done to any of them."""

from __future__ import annotations

import asyncio
import signal
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable

from engine.errors import SandboxError
from engine.sandbox.ports import is_free
from engine.sandbox.state import NodeState, WorkerState

STOP_TIMEOUT_SECONDS = 30.0
_PORT_TIMEOUT_SECONDS = 1.0
_POLL_SECONDS = 0.1


class Managed(ABC):
    """A process with its place in the sandbox's state; `save` writes that state down."""

    __slots__ = ()

    state: NodeState | WorkerState
    save: Callable[[], None]

    @abstractmethod
    def __str__(self) -> str:
        """Name it as messages do."""

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
        """Raise `SandboxError` when another program has a port of this process."""
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

    def new_token(self) -> str:
        """Return a new mark for a process in this place.

        It is written down before the process starts: should we end before its pid is, the
        process can still be found.
        """
        token = uuid.uuid4().hex
        self.state.token, self.state.process = token, None
        self.save()
        return token
