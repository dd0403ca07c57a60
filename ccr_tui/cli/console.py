"""`ccr`: the console, on the engine that runs this configuration here or on one of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import logging.handlers
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ccr_tui.cli.crash_page import open_again
from ccr_tui.state import ConsoleMode
from ccr_tui.user_files import console_log_path
from engine.api.protocol import EngineApi
from engine.errors import CcrError, ConfigError, ExitCode
from engine.service.attach import Attached, attach_or_spawn
from engine.service.client import EngineHangsError
from engine.service.paths import service_paths

if TYPE_CHECKING:
    from ccr_tui.app import CcrApp

_LOG_BYTES = 1024 * 1024
SETTLED_AFTER_S = 3.0


def open_console(args: argparse.Namespace) -> int:
    """Open the console on `args.config` (and `read_only`, `theme`, `hints`) until it is left.

    Raises ConfigError (no terminal, the file) and what `attach_or_spawn` raises.
    """
    # Textual writes to standard error and reads standard input.
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigError(
            "opening",
            "the console",
            "standard input and standard error must be a terminal",
            "Without one use `ccr status`, or `ccr --no-ui` to replicate.",
        )
    for name in ("COLUMNS", "LINES"):
        # Exported, they would stand for the terminal's own size and hide every change of it.
        os.environ.pop(name, None)
    config = Path(args.config)
    _log_to_file(config)
    return asyncio.run(_run(config, args))


async def _run(config: Path, args: argparse.Namespace) -> int:
    # Only here, so that every other verb does without Textual.
    from ccr_tui.app import CcrApp  # noqa: PLC0415
    from ccr_tui.leaving import farewell  # noqa: PLC0415
    from ccr_tui.settings.loader import load_settings  # noqa: PLC0415

    settings = await asyncio.to_thread(load_settings)
    read_only = bool(getattr(args, "read_only", False)) or settings.values.read_only
    _tell(f"ccr: looking for the engine of {config} …")
    async with EngineDoor(config, read_only=read_only) as door:
        while True:
            app = CcrApp(
                door.api,
                mode=door.mode,
                config_name=config.name,
                theme=getattr(args, "theme", None),
                reopen=door.reopen,
                hints=getattr(args, "hints", ()),
                settings=settings,
            )
            await until_left(app, mouse=settings.values.mouse)
            if app.crash is None:
                break
            if not await open_again(app.crash, app.state, tuple(app.trail)):
                return ExitCode.FAILED
        if door.embedded:
            _tell("ccr: the engine finishes what is in flight; ctrl+c ends it at once …")
    sentence = farewell(app.state)
    if sentence:
        _tell(sentence)
    return ExitCode.OK


async def until_left(app: CcrApp, *, mouse: bool) -> None:
    """Run the console until it is left, or its terminal or the process is ended."""
    # A hang-up is left to end the process: the terminal is gone, and with the process the pipe
    # that keeps an embedded engine alive.
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, app.exit)
    # What is there by then stays: looking for garbage in it would stop the keys for 100 ms.
    freezing = loop.call_later(SETTLED_AFTER_S, gc.freeze)
    try:
        await app.run_async(mouse=mouse)
    finally:
        freezing.cancel()
        loop.remove_signal_handler(signal.SIGTERM)


class EngineDoor:
    """The engine that the console looks at, found again after it was lost."""

    def __init__(self, config: Path, *, read_only: bool) -> None:
        self._config = config
        self._read_only = read_only
        self._stack = contextlib.AsyncExitStack()
        self._attached: Attached | None = None

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self) -> Attached:
        context = attach_or_spawn(self._config, read_only=self._read_only)
        self._attached = await self._stack.enter_async_context(context)
        return self._attached

    @property
    def _engine(self) -> Attached:
        if self._attached is None:
            raise RuntimeError("the door is not open")
        return self._attached

    @property
    def api(self) -> EngineApi:
        """The engine."""
        return self._engine.api

    @property
    def embedded(self) -> bool:
        """Whether the engine ends with the console."""
        return self._engine.mode == "embedded"

    @property
    def mode(self) -> ConsoleMode:
        """Whose engine it is."""
        return ConsoleMode.EMBEDDED if self.embedded else ConsoleMode.ATTACHED

    async def reopen(self, lost: CcrError) -> tuple[EngineApi, ConsoleMode]:
        """Start our own engine again when it has ended; wait for one that hangs or is a service's.

        A service that was stopped is not replaced: that is its operator's decision.
        """
        if self.embedded and not isinstance(lost, EngineHangsError):
            await self._stack.aclose()
            await self._open()
        return self.api, self.mode


def _log_to_file(config: Path) -> None:
    """Write the console's own log next to the engine's, never to the terminal it draws on."""
    logger = logging.getLogger("ccr_tui")
    logger.propagate = False
    path = console_log_path(service_paths(config))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=_LOG_BYTES, backupCount=1
        )
    except OSError as error:
        _tell(f"ccr: the console writes no log: {error}")
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger.addHandler(handler)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
