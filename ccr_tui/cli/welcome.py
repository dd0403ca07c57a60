"""`ccr` without a configuration: the welcome, or on a pipe the same in words."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

from ccr_tui.cli.console import open_console
from ccr_tui.screens.welcome.choices import Chosen, OpenConfig, RunDemo, as_text
from engine.config.locations import NoConfigError
from engine.errors import ExitCode

if TYPE_CHECKING:
    from ccr_tui.screens.welcome.app import WelcomeApp


def welcome(args: argparse.Namespace, none_found: NoConfigError) -> int:
    """Ask how to go on, and do so; raises NoConfigError with the ways where nobody can be asked."""
    read_only = bool(args.read_only)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise NoConfigError(
            none_found.cause, f"Any of these goes on:\n{as_text(read_only=read_only)}"
        )
    # Only here: Textual.
    from ccr_tui.screens.welcome.app import WelcomeApp  # noqa: PLC0415
    from ccr_tui.settings.loader import load_settings  # noqa: PLC0415

    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)  # as in open_console
    settings = load_settings()
    read_only = read_only or settings.values.read_only
    why = f"T{none_found.cause[1:]}."
    app = WelcomeApp(why, read_only=read_only, theme=args.theme, settings=settings)
    chosen = asyncio.run(_until_chosen(app, mouse=settings.values.mouse))
    if app.crash is not None:
        raise app.crash
    if isinstance(chosen, OpenConfig):
        args.config = str(chosen.path)
        return open_console(args)
    if isinstance(chosen, RunDemo):
        return _demo(args)
    return ExitCode.OK


async def _until_chosen(app: WelcomeApp, *, mouse: bool) -> Chosen | None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, app.exit)
    try:
        return await app.run_async(mouse=mouse)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _demo(args: argparse.Namespace) -> int:
    from ccr_tui.cli.demo import DEFAULT_RATE, run_demo  # noqa: PLC0415

    options = {"no_ui": False, "json": False, "seconds": None, "rate": DEFAULT_RATE, "seed": 1}
    return run_demo(argparse.Namespace(**options, read_only=args.read_only))
