"""How the console gets an engine: the running service's, or one of its own as a child process.

The child is `python -m engine.service`, in a session of its own, so that ctrl+c and a hang-up reach
the console alone. It lives as long as the pipe that is its standard input: however the console
ends, kill -9 included, the child sees that end, drains and stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from engine.api.snapshots import EngineMode
from engine.errors import ConnectError, RefusedError
from engine.service import codec
from engine.service.client import EngineGoneError, EngineHangsError, RemoteEngineApi
from engine.service.paths import ServicePaths, service_paths

DRAIN_TIMEOUT_S = 30.0
START_TIMEOUT_S = 30.0
STOP_GRACE_S = 10.0  # on top of the drain's own deadline
OTHER_STARTS_TIMEOUT_S = 15.0
LOOK_EVERY_S = 0.2
TAIL_BYTES = 4096
LINE_BYTES = 1024 * 1024  # of the child's one line; an invalid configuration can have many problems


@dataclass(slots=True)
class Attached:
    """An engine the console may use, until the context is left or `stop` was called."""

    api: RemoteEngineApi
    mode: Literal["attached", "embedded"]
    socket: Path
    config_path: Path
    log_path: Path | None  # None: the embedded engine has no log file, its folder is not writable
    _child: asyncio.subprocess.Process | None = field(default=None, repr=False)

    async def stop(self) -> None:
        """Let go: an attached engine keeps running, an embedded one drains (30 s at most) and ends.

        For a dialog that shows it, before the context ends. Cancelled, it ends the child at once.
        """
        await self.api.close()
        child, self._child = self._child, None
        if child is not None:
            await _end(child)


@contextlib.asynccontextmanager
async def attach_or_spawn(
    config_path: str | Path, *, read_only: bool = False
) -> AsyncIterator[Attached]:
    """Attach to the engine of this configuration on this host, or run one as a child.

    Raises ConfigError (the file), ConnectError (an engine has the socket but hangs, or the child
    did not start), RefusedError (an engine of another version, or of another user).
    """
    paths = service_paths(config_path)
    attached = await _attach(paths, read_only=read_only)
    if attached is None:
        try:
            attached = await _spawn(paths, read_only=read_only)
        except RefusedError:
            attached = await _attach_to_starting(paths, read_only=read_only)
            if attached is None:
                raise
    try:
        yield attached
    finally:
        await attached.stop()


async def _attach(paths: ServicePaths, *, read_only: bool) -> Attached | None:
    if not paths.socket.exists():
        return None
    api = RemoteEngineApi(paths.socket, read_only=read_only)
    try:
        snapshot = await api.snapshot()
    except BaseException as error:
        await api.close()
        if isinstance(error, EngineGoneError) and not isinstance(error, EngineHangsError):
            return None
        raise
    log = paths.embedded_log if snapshot.mode is EngineMode.EMBEDDED else paths.log
    return Attached(api, "attached", paths.socket, paths.config, log)


async def _attach_to_starting(paths: ServicePaths, *, read_only: bool) -> Attached | None:
    """Attach to the engine that took the lock before ours, once it is ready."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(OTHER_STARTS_TIMEOUT_S):
            while True:
                attached = await _attach(paths, read_only=read_only)
                if attached is not None:
                    return attached
                await asyncio.sleep(LOOK_EVERY_S)
    return None


async def _spawn(paths: ServicePaths, *, read_only: bool) -> Attached:
    # -P: a folder named `engine` where the user stands must not be taken for ours.
    command = [sys.executable, "-P", "-m", "engine.service", "--config", str(paths.config)]
    command += ["--drain-timeout", str(DRAIN_TIMEOUT_S)]
    if read_only:
        command.append("--read-only")
    with _appended(paths.embedded_log) as log:
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            limit=LINE_BYTES,
        )
    try:
        ready = await _wait_ready(child, paths)
    except BaseException:
        await _end(child)
        raise
    api = RemoteEngineApi(paths.socket, read_only=read_only)
    log_path = Path(ready.log) if ready.log else None
    return Attached(api, "embedded", paths.socket, paths.config, log_path, child)


@contextlib.contextmanager
def _appended(path: Path) -> Iterator[int]:
    """Open the log for what the interpreter says before the child's own logging stands."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:
        # The child tells that there is no log (codec.Ready).
        descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _wait_ready(child: asyncio.subprocess.Process, paths: ServicePaths) -> codec.Ready:
    """Read the child's one line; raise the error it tells, or what can be said without one."""
    line = b""
    if child.stdout is not None:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                line = await child.stdout.readline()
        except TimeoutError:
            cause = f"it was not ready within {START_TIMEOUT_S:.0f} s"
            raise _not_started(paths, cause) from None
    try:
        return codec.READY.validate_json(line)
    except ValidationError:
        pass
    try:
        error = codec.load_error(line)
    except ValidationError:
        code = await child.wait()
        said = await asyncio.to_thread(_last_line, paths.embedded_log)
        raise _not_started(paths, f"it ended with exit code {code}: {said}") from None
    raise error


def _not_started(paths: ServicePaths, cause: str) -> ConnectError:
    return ConnectError(
        "starting an engine for", str(paths.config), cause, f"See {paths.embedded_log}"
    )


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        lines = []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


async def _end(child: asyncio.subprocess.Process) -> None:
    """Close the child's input, which makes it drain and end; insist when that takes too long."""
    if child.stdin is not None:
        child.stdin.close()
    try:
        async with asyncio.timeout(DRAIN_TIMEOUT_S + STOP_GRACE_S):
            await child.wait()
    except TimeoutError:
        _signal(child, signal.SIGKILL)
        await child.wait()
    except asyncio.CancelledError:
        # The end of its input was the first request; this is the second, which ends it at once.
        _signal(child, signal.SIGTERM)
        raise


def _signal(child: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(number)
