"""`ccr connect`: Kafka Connect clusters by their REST API."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ccr_tui.cli import connect_act, connect_look, connect_offsets, connect_write
from ccr_tui.cli.parsing import add_config, add_read_only

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers

_Run = Callable[[argparse.Namespace], Awaitable[int]]
_FILE = "Connect's JSON, a properties file or a curl command; - is standard input; repeatable"


def add_parser(subparsers: Subparsers) -> None:
    """Add `connect` with its verbs."""
    connect = subparsers.add_parser(
        "connect",
        help="connectors of Kafka Connect: look, write, restart",
        description="Look at the connectors of the Kafka Connect clusters that the configuration's "
        "section connect names, and steer them.",
    )
    verbs = connect.add_subparsers(metavar="VERB", required=True)
    _looking(verbs)
    _writing(verbs)
    _acting(verbs)
    _offsets(verbs)


def _verb(verbs: Subparsers, name: str, help_: str, run: _Run) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=help_, description=f"{help_[0].upper()}{help_[1:]}."
    )
    parser.add_argument(
        "--on", metavar="ENDPOINT", help="which of the configuration's (default: the only one)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object (docs/cli.md)")
    add_config(parser)
    add_read_only(parser)
    parser.set_defaults(func=run)
    return parser


def _of_one(verbs: Subparsers, name: str, help_: str, run: _Run) -> argparse.ArgumentParser:
    parser = _verb(verbs, name, help_, run)
    parser.add_argument("name", metavar="CONNECTOR")
    return parser


def _looking(verbs: Subparsers) -> None:
    _verb(verbs, "list", "all connectors, those that failed first", connect_look.run_list)
    _of_one(verbs, "describe", "one connector: settings, status, topics", connect_look.run_describe)
    _of_one(verbs, "status", "the states of a connector and its tasks", connect_look.run_status)
    _of_one(verbs, "tasks", "a connector's tasks with their settings", connect_look.run_tasks)
    trace = _of_one(verbs, "trace", "why a connector or its tasks failed", connect_look.run_trace)
    trace.add_argument("--full", action="store_true", help="the whole of Java's stack traces")
    plugins = _verb(verbs, "plugins", "classes that the workers have", connect_look.run_plugins)
    plugins.add_argument(
        "plugin", metavar="CLASS", nargs="?", help="the settings that this one knows"
    )
    plugins.add_argument(
        "--all", action="store_true", help="converters, transformations and so on, too"
    )
    loggers = _verb(
        verbs, "loggers", "levels of the workers' loggers, or set one", connect_act.run_loggers
    )
    loggers.add_argument("logger", metavar="LOGGER", nargs="?", help="and all below it")
    loggers.add_argument("level", metavar="LEVEL", nargs="?", help="TRACE, DEBUG, INFO, WARN, …")
    loggers.add_argument("--worker", metavar="URL", help="only on this worker")


def _writing(verbs: Subparsers) -> None:
    for name, help_ in (
        ("create", "create connectors; refused for those that are there"),
        ("apply", "create connectors, or change those that are there"),
    ):
        parser = _verb(verbs, name, help_, connect_write.run_apply)
        _file(parser)
        parser.add_argument(
            "--dry-run", action="store_true", help="validate, and show what would change"
        )
        parser.add_argument(
            "--state",
            choices=["RUNNING", "PAUSED", "STOPPED"],
            help="what a new connector is to be (default: RUNNING)",
        )
        parser.set_defaults(must_be_new=name == "create")
    diff = _verb(
        verbs, "diff", "what apply would change; exit code 1 if anything", connect_write.run_diff
    )
    _file(diff)
    _of_one(verbs, "edit", "change a connector's settings in $EDITOR", connect_write.run_edit)
    patch = _of_one(verbs, "patch", "change some settings of a connector", connect_write.run_patch)
    patch.add_argument("changes", metavar="KEY=VALUE", nargs="*")
    patch.add_argument("--remove", metavar="KEY", action="append", default=[], help="repeatable")
    patch.add_argument("--dry-run", action="store_true", help="validate, and show what changes")


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f", "--file", metavar="FILE", type=Path, action="append", required=True, help=_FILE
    )
    parser.add_argument("-n", "--name", metavar="CONNECTOR", help="where the file has no name")


def _acting(verbs: Subparsers) -> None:
    restart = _several(
        verbs, "restart", "restart what has failed of a connector", connect_act.run_restart
    )
    which = restart.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="what runs, too")
    which.add_argument("--task", metavar="N", type=int, help="only this task, failed or not")
    _several(verbs, "pause", "let the tasks stand still where they are", connect_act.run_pause)
    _several(verbs, "resume", "let it run again", connect_act.run_resume)
    _several(verbs, "stop", "end the tasks; the connector stays", connect_act.run_stop)
    _several(verbs, "delete", "delete a connector; its offsets stay", connect_act.run_delete)
    _of_one(verbs, "reset-topics", "forget which topics it has used", connect_act.run_reset_topics)


def _several(verbs: Subparsers, name: str, help_: str, run: _Run) -> argparse.ArgumentParser:
    parser = _of_one(verbs, name, help_, run)
    parser.add_argument(
        "--regex", action="store_true", help="CONNECTOR is a regex: all whose whole name matches"
    )
    parser.add_argument(
        "--confirm", metavar="CONNECTOR", help="the same again; asked for on a terminal"
    )
    return parser


def _offsets(verbs: Subparsers) -> None:
    offsets = verbs.add_parser(
        "offsets", help="how far a connector is", description="How far a connector is."
    )
    of_offsets = offsets.add_subparsers(metavar="VERB", required=True)
    _of_one(of_offsets, "show", "show a connector's offsets", connect_offsets.run_show)
    change = _of_one(
        of_offsets, "set", "set offsets of a connector that is STOPPED", connect_offsets.run_set
    )
    change.add_argument(
        "-f", "--file", metavar="FILE", type=Path, required=True,
        help='as show --json prints them: {"offsets": [{"partition": …, "offset": …}]}',
    )  # fmt: skip
    reset = _of_one(
        of_offsets, "reset", "forget all offsets of one that is STOPPED", connect_offsets.run_reset
    )
    for parser in (change, reset):
        parser.add_argument("--stop", action="store_true", help="stop it first, if it is not")
        parser.add_argument(
            "--confirm", metavar="CONNECTOR", help="its name again; asked for on a terminal"
        )
