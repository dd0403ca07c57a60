"""`ccr info`: where ccr's files are, and what it runs on; for a person, and for a report."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ccr_tui import user_files
from ccr_tui.cli.parsing import add_config
from ccr_tui.cli.secrets import Keyring
from ccr_tui.cli.tables import indented
from ccr_tui.resources import themes_dir
from ccr_tui.symbols import for_locale
from engine import __version__
from engine.config import locations, os_keyring
from engine.config.os_keyring import KeyringError
from engine.errors import ExitCode
from engine.printable import printable
from engine.service.paths import ServicePaths, runtime_dir, service_paths

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers

_LIBRARIES = ("textual", "aiokafka", "aiohttp", "pydantic", "keyring")
_NAME = 14


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file or folder of ccr's."""

    name: str
    path: str
    exists: bool
    about: str


@dataclass(frozen=True, slots=True)
class TerminalInfo:
    """What the console would be drawn on."""

    term: str  # $TERM; empty: not set
    columns: int | None  # None: standard error is no terminal
    lines: int | None
    encoding: str  # of standard output
    symbols: str  # unicode or ascii: by the locale
    no_color: bool
    tmux: bool
    ssh: bool


@dataclass(frozen=True, slots=True)
class Info:
    """All of it."""

    versions: dict[str, str]
    config: str | None  # resolved; None: there is none, and no files that go with it
    config_reason: str  # why there is none
    files: tuple[FileInfo, ...]
    keyring: Keyring
    terminal: TerminalInfo


def add_parser(subparsers: Subparsers) -> None:
    """Add `info`."""
    parser = subparsers.add_parser(
        "info",
        help="where ccr's files are, versions, keyring, terminal",
        description="Print where ccr keeps its files for this user and configuration and which are "
        "there, the versions it runs on, the keyring and the terminal. Nothing is asked of an "
        "engine or a cluster, and no secret is read. Exit code: 0.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object (docs/cli.md)")
    add_config(parser)
    parser.set_defaults(func=run_info)


async def run_info(args: argparse.Namespace) -> int:
    """Print it; returns the exit code. Raises ConfigError (a file that is named is not there)."""
    keyring = await _keyring()
    info = await asyncio.to_thread(_gather, args.config, keyring)
    print(json.dumps(asdict(info), ensure_ascii=False) if args.json else "\n".join(_lines(info)))
    return ExitCode.OK


async def _keyring() -> Keyring:
    try:
        backend = await os_keyring.backend_name(operation="looking at the keyring")
    except KeyringError as error:
        return Keyring(None, error.cause, error.next_step)
    if backend is None:
        return Keyring(None, "there is no keyring here", f"Use {os_keyring.OTHER_PLACES}")
    return Keyring(backend)


def _gather(named: str | None, keyring: Keyring) -> Info:
    config, reason, files = None, "", list(_files_of_user())
    try:
        paths = service_paths(locations.find(named))
    except locations.NoConfigError as error:
        reason = error.cause
    else:
        config = str(paths.config)
        files = [*_files_of(paths), *files]
    found = tuple(FileInfo(name, str(path), _is_there(path), about) for name, path, about in files)
    return Info(_versions(), config, reason, found, keyring, _terminal())


def _files_of(paths: ServicePaths) -> Iterator[tuple[str, Path, str]]:
    yield "config", paths.config, "the configuration"
    yield "socket", paths.socket, "the engine's control socket; there while one runs"
    yield "lock", paths.lock, "held by the engine that runs the configuration here"
    yield "log", paths.log, "of ccr --no-ui; rotated to .1 and on"
    yield "embedded_log", paths.embedded_log, "of an engine that a console started"
    yield "console_log", user_files.console_log_path(paths), "of the console itself"
    yield "events", paths.events, "what happened, over restarts"
    yield "audit", paths.audit, "who did what: ccr audit"
    yield "runs", paths.runs, "runbooks' journals: ccr reports"


def _files_of_user() -> Iterator[tuple[str, Path, str]]:
    yield "runtime_dir", runtime_dir(), "sockets and locks"
    yield "state", user_files.history_path().parent, "logs, events, audit, runs, history"
    yield "crash_log", user_files.crash_log_path(), "faults of ccr"
    yield "settings", user_files.settings_path(), "the console's keys, theme, mouse, ..."
    yield "themes", user_files.themes_path(), "the user's own themes"
    yield "shipped_themes", themes_dir(), "those that come with ccr"
    yield "history", user_files.history_path(), "commands typed in the console"
    yield "cache", user_files.cache_path(), "Kafka for ccr demo and ccr sandbox"


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that may not be entered
        return False


def _versions() -> dict[str, str]:
    found = {"ccr": __version__, "python": platform.python_version()}
    found |= {name: version(name) for name in _LIBRARIES}
    return found | {"system": f"{platform.system()} {platform.release()} {platform.machine()}"}


def _terminal() -> TerminalInfo:
    # Standard error, as Textual writes to it.
    try:
        size = os.get_terminal_size(sys.__stderr__.fileno()) if sys.__stderr__ else None
    except OSError:
        size = None
    return TerminalInfo(
        term=os.environ.get("TERM", ""),
        columns=size.columns if size else None,
        lines=size.lines if size else None,
        encoding=sys.stdout.encoding,
        symbols="ascii" if for_locale().ascii_only else "unicode",
        no_color=bool(os.environ.get("NO_COLOR")),
        tmux="TMUX" in os.environ,
        ssh="SSH_CONNECTION" in os.environ,
    )


def _lines(info: Info) -> Iterator[str]:
    for name, found in info.versions.items():
        yield _line(name, found)
    yield ""
    if info.config is None:
        yield _line("config", f"none: {info.config_reason}")
    for file in info.files:
        there = "" if file.exists else "  (not there)"
        yield _line(file.name, f"{file.path}{there}")
        yield from indented(file.about)
    yield ""
    yield _line("keyring", info.keyring.backend or f"none: {info.keyring.reason}")
    if info.keyring.next_step:
        yield from indented(info.keyring.next_step)
    yield _line("terminal", ", ".join(_told(info.terminal)))


def _told(terminal: TerminalInfo) -> Iterator[str]:
    yield terminal.term or "TERM is not set"
    here = terminal.columns is not None
    yield f"{terminal.columns}x{terminal.lines}" if here else "standard error is no terminal"
    yield f"{terminal.encoding}, {terminal.symbols} symbols"
    for name, is_so in (
        ("NO_COLOR", terminal.no_color),
        ("in tmux", terminal.tmux),
        ("over SSH", terminal.ssh),
    ):
        if is_so:
            yield name


def _line(name: str, text: str) -> str:
    return f"{name:<{_NAME}} {printable(text)}"
