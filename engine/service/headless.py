"""The engine as a process: lock, log, engine, control socket, and the way it ends."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import importlib
import logging
import os
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import __version__
from engine.api.local import LocalEngineApi
from engine.api.protocol import EngineApi
from engine.api.snapshots import EngineMode, FlowState, Severity
from engine.audit.audited import Recorder, as_event, audited
from engine.audit.caller import Caller, asked_by
from engine.audit.file import Act, AuditFile
from engine.config import loader
from engine.config.model import Config
from engine.engine import Engine
from engine.errors import CcrError, ExitCode
from engine.kept.files import KeptFiles
from engine.reload.reloader import SUBJECT, Reloader
from engine.replication.events import RING
from engine.runbook.desk import Desk
from engine.service.event_file import read_events
from engine.service.listening import listen
from engine.service.lock import ServiceLock
from engine.service.logs import LogFormat, ServiceLog, fields
from engine.service.paths import ServicePaths, service_paths
from engine.service.progress import tell_progress
from engine.service.shutdown import Shutdown

if TYPE_CHECKING:
    from engine.service.control import ControlServer

LOG = logging.getLogger(__name__)
DRAIN_TIMEOUT_S = 30.0
STOP_GRACE_S = 5.0
TAKE_OVER_LOOK_S = 0.25
_OnReady = Callable[[Path, Path | None], None]


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How a service is to run."""

    config_path: str
    log_format: LogFormat = LogFormat.HUMAN
    drain_timeout: float = DRAIN_TIMEOUT_S
    """Seconds from the first signal for what is in flight to be acknowledged."""
    take_over: bool = False
    """Claim flows that another engine owns, once, at the start."""
    read_only: bool = False
    embedded: bool = False
    """A child of the console: observes flows that others own, ends when its stdin closes."""


def serve(options: ServiceOptions, on_ready: _OnReady | None = None) -> int:
    """Run until asked to end; returns the exit code.

    Calls `on_ready` with the socket and the log file (None: it cannot be written) when the control
    socket takes connections. Raises CcrError when it cannot start; a cluster that is away is no
    such error but a state. A second signal ends the process at once.
    """
    paths = service_paths(options.config_path)
    log = ServiceLog(
        paths.embedded_log if options.embedded else paths.log,
        options.log_format,
        narrate=not options.embedded,
        owns_stderr=options.embedded,
        events=paths.events,
    )
    faulthandler.enable()
    with ServiceLock(paths), log:
        config = loader.load(paths.config)
        code = asyncio.run(_Service(options, config, paths, log, on_ready).run())
    if log.stuck:
        os._exit(code)
    return code


class _Service:
    """One run."""

    def __init__(
        self,
        options: ServiceOptions,
        config: Config,
        paths: ServicePaths,
        log: ServiceLog,
        on_ready: _OnReady | None,
    ) -> None:
        self._options = options
        self._paths = paths
        self._log = log
        self._on_ready = on_ready
        self._shutdown = Shutdown(
            lambda: self._end_now(ExitCode.INTERRUPTED),
            reload=None if options.embedded else self._reload,
        )
        self._engine = Engine(
            config,
            config_path=str(paths.config),
            mode=EngineMode.EMBEDDED if options.embedded else EngineMode.SERVICE,
            standby="observe" if options.embedded else "auto",
            read_only=options.read_only,
        )
        self._engine.events.restore(read_events(paths.events, RING))
        self._reloader = Reloader(self._engine)
        self._reloading: set[asyncio.Future[None]] = set()
        self._desk = Desk(self._engine, self._reloader, paths.runs)
        kept = KeptFiles(log.path, paths.events)
        api = LocalEngineApi(self._engine, self._reloader, self._desk, kept)
        audit = AuditFile(paths.audit)
        self._api: EngineApi = audited(api, audit, self._tell_act)
        self._signals = Recorder(audit, self._tell_signal)

    def _tell_signal(self, act: Act) -> None:
        if act.outcome in ("done", "unchanged"):
            self._tell_act(act)
            return
        text = f"{act.origin}: nothing was changed: {act.text}"
        self._engine.events.emit(Severity.ERROR, SUBJECT, text, "Mend the file, then reload")

    def _tell_act(self, act: Act) -> None:
        severity = Severity.WARNING if act.outcome in ("refused", "failed") else Severity.INFO
        self._engine.events.emit(severity, *as_event(act))

    async def run(self) -> ExitCode:
        self._shutdown.listen_to_signals()
        async with contextlib.AsyncExitStack() as stack:
            if self._options.embedded:
                self._background(stack, self._shutdown.watch_parent(), "watching the console")
            # The socket first: what can fail there must fail before a flow is claimed.
            listener = listen(self._paths.socket)
            stack.callback(self._paths.socket.unlink, missing_ok=True)
            await self._engine.start()
            self._background(stack, tell_progress(self._api), "telling progress")
            self._announce()
            await stack.enter_async_context(self._desk.at_work())
            await self._serve(listener, stack)
            if self._options.take_over:
                self._background(stack, take_over_all(self._api), "taking over")
            await self._shutdown.requested.wait()
            return await self._stop()

    async def _serve(self, listener: socket.socket, stack: contextlib.AsyncExitStack) -> None:
        """Answer on the control socket. Its imports take a fifth of a second: no flow waits."""
        control = await asyncio.to_thread(importlib.import_module, "engine.service.control")
        # All that was imported stays: looking through it for garbage again and again halts
        # everything for some 50 ms each time.
        gc.freeze()
        server: ControlServer = control.ControlServer(self._api, self._paths.socket)
        stack.push_async_callback(server.stop)
        await server.start(listener)

    def _reload(self) -> None:
        """Apply what the configuration says now, as SIGHUP asks for."""
        task = asyncio.ensure_future(self._reload_as_told())
        self._reloading.add(task)
        task.add_done_callback(self._reloading.discard)
        task.add_done_callback(lambda done: _tell_failure(done, "reloading"))

    async def _reload_as_told(self) -> None:
        # The kernel tells asyncio no sender: it was this user, or root.
        told = Caller("signal", os.geteuid(), os.getpid(), "SIGHUP")
        with asked_by(told), contextlib.suppress(CcrError):
            await self._signals.act("config.reload", {}, self._reloader.reload)

    def _announce(self) -> None:
        LOG.info(
            "ccr %s runs %s (pid %d); control socket %s; log %s",
            __version__,
            self._paths.config,
            os.getpid(),
            self._paths.socket,
            self._log.path or "none",
            extra=fields(
                "service.started",
                version=__version__,
                config=str(self._paths.config),
                pid=os.getpid(),
                socket=str(self._paths.socket),
                log=str(self._log.path) if self._log.path else None,
            ),
        )
        if self._on_ready is not None:
            self._on_ready(self._paths.socket, self._log.path)

    async def _stop(self) -> ExitCode:
        """Drain within the deadline."""
        deadline = self._options.drain_timeout
        LOG.info(
            "%s: draining for %.0f s at most; a signal now ends at once",
            self._shutdown.cause,
            deadline,
            extra=fields("service.draining", cause=self._shutdown.cause, seconds=deadline),
        )
        began = time.monotonic()
        await self._desk.end(deadline)
        stopping = asyncio.ensure_future(self._engine.stop(deadline))
        await asyncio.wait({stopping}, timeout=deadline + STOP_GRACE_S)
        if not stopping.done():
            LOG.error(
                "the engine did not stop in time: ending without it",
                extra=fields("service.stop_timed_out"),
            )
            self._end_now(ExitCode.FAILED)
        drained, took = stopping.result(), time.monotonic() - began
        LOG.log(
            logging.INFO if drained else logging.ERROR,
            "stopped after %.1f s%s",
            took,
            "" if drained else "; not everything was drained, the next start goes on from there",
            extra=fields("service.stopped", drained=drained, seconds=round(took, 3)),
        )
        return ExitCode.OK if drained else ExitCode.FAILED

    def _end_now(self, code: ExitCode) -> None:
        """End without clean-up: what was not acknowledged is found again at the next start."""
        self._paths.socket.unlink(missing_ok=True)
        self._paths.lock.unlink(missing_ok=True)
        self._log.close()
        os._exit(code)

    @staticmethod
    def _background(
        stack: contextlib.AsyncExitStack, work: Coroutine[Any, Any, None], what: str
    ) -> None:
        """Run beside the engine; a failure there is told but ends nothing."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda done: _tell_failure(done, what))
        stack.callback(task.cancel)


def _tell_failure(task: asyncio.Future[None], what: str) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        LOG.error("%s failed", what, exc_info=error, extra=fields("service.failure", what=what))


async def take_over_all(api: EngineApi) -> None:
    """Claim every flow that turns out to have another owner; a refusal is told."""
    waiting = {flow.name for flow in (await api.snapshot()).flows}
    while waiting:
        for flow in (await api.snapshot()).flows:
            if flow.name not in waiting:
                continue
            if flow.owned_here or flow.state is FlowState.STOPPED:
                waiting.discard(flow.name)
            elif flow.state is FlowState.STANDBY:
                waiting.discard(flow.name)
                await _take_over(api, flow.name)
        await asyncio.sleep(TAKE_OVER_LOOK_S)


async def _take_over(api: EngineApi, flow: str) -> None:
    try:
        result = await api.flows.take_over(flow)
    except CcrError as error:
        LOG.error("%s", error, extra=fields("service.take_over_refused", flow=flow))
    else:
        LOG.info("%s: %s", flow, result.text, extra=fields("service.took_over", flow=flow))
