"""The command line's grammar: options that stand before a verb, the verb, and its own options."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn, cast

from ccr_tui.cli import run
from ccr_tui.cli.registry import GROUPS, VERBS, Verb, VerbModule
from engine import __version__
from engine.config import locations
from engine.config.nearest import nearest
from engine.errors import ConfigError

_USAGE = """%(prog)s [OPTIONS]            open the console
       %(prog)s --no-ui [OPTIONS]    run the engine as a service
       %(prog)s VERB ...             %(prog)s VERB --help tells more"""
_OF_A_SERVICE = ("log_format", "take_over", "drain_timeout")
_UNKNOWN_OPTION = re.compile(r"unrecognized arguments: (-[^\s=]+)")
_UNKNOWN_CHOICE = re.compile(r"invalid choice: '([^']*)' \(choose from (.*)\)")


class Parser(argparse.ArgumentParser):
    """Raises usage errors as ConfigError, so that they look and count like all others."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError, with the nearest option or choice when one was misspelt."""
        found = None
        if option := _UNKNOWN_OPTION.search(message):
            found = nearest(option[1], _options_of(self))
        elif choice := _UNKNOWN_CHOICE.search(message):
            choices = choice[2].replace("'", "")
            found = nearest(choice[1], choices.split(", "))
            message = f"{message[: choice.start()]}{choice[1]!r} is none of {choices}"
        raise _misspelt(message, found, f"{self.prog} --help")


def _options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the options of a parser and of the verbs below it."""
    for action in parser._actions:  # noqa: SLF001  (argparse tells them to nobody)
        yield from action.option_strings
        if isinstance(action.choices, dict):
            for below in action.choices.values():
                yield from _options_of(below)


def _misspelt(message: str, meant: str | None, help_command: str) -> ConfigError:
    if meant:
        return ConfigError("", "", f"{message}; did you mean {meant}?")
    return ConfigError("", "", message, f"See `{help_command}`")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line; `func` is there when a verb was given.

    Imports no verb's module but the chosen one's. Raises ConfigError, or SystemExit after --help.
    """
    front = _front()
    args = front.parse_args(argv)
    name, rest = args.verb, args.rest
    del args.verb, args.rest
    if name is None:
        _check_without_verb(front, args)
        _find_config(args)
        return args
    if name not in VERBS:
        raise _misspelt(f"there is no verb {name!r}", nearest(name, VERBS), "ccr --help")
    _refuse_before_verb(front, args, name)
    args = _parse_verb(VERBS[name], rest, args)
    if VERBS[name].needs_config:
        args.config = str(locations.find(args.config))
    return args


def _find_config(args: argparse.Namespace) -> None:
    """Find the configuration; without one the console asks, and `none_found` says why."""
    try:
        args.config = str(locations.find(args.config))
    except locations.NoConfigError as none_found:
        if args.no_ui:
            raise
        args.none_found = none_found


def _front() -> argparse.ArgumentParser:
    """Make the parser of what stands before the verb; its help lists the verbs."""
    parser = Parser(
        prog="ccr",
        usage=_USAGE,
        description="Operations console for Kafka cross-cluster replication.",
        epilog=_verbs_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    add_read_only(parser)
    parser.set_defaults(config=None, read_only=False)
    parser.add_argument("--theme", metavar="NAME", help="the console's colours")
    parser.add_argument("--version", action="version", version=f"ccr {__version__}")
    parser.add_argument("--no-ui", action="store_true", help="run the engine as a service")
    run.add_arguments(parser)
    parser.add_argument("verb", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _parse_verb(verb: Verb, rest: Sequence[str], args: argparse.Namespace) -> argparse.Namespace:
    parser: argparse.ArgumentParser = Parser(prog="ccr")
    subparsers = parser.add_subparsers()
    cast("VerbModule", importlib.import_module(verb.module)).add_parser(subparsers)
    chosen = subparsers.choices[verb.name]
    add_read_only(chosen)
    if verb.needs_config:
        add_config(chosen)
    args, unknown = parser.parse_known_args([verb.name, *rest], args)
    if unknown:
        chosen.error(f"unrecognized arguments: {' '.join(unknown)}")
    return args


# These stand before or after the verb, so that `ccr --config FILE status` and `ccr status --config
# FILE` are the same. They have no default, which after the verb would undo what stands before it.


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="configuration file (default: $CCR_CONFIG, ./ccr.yaml, the user's ccr/ccr.yaml)",
    )


def add_read_only(parser: argparse.ArgumentParser) -> None:
    """Add --read-only."""
    parser.add_argument(
        "--read-only",
        action="store_true",
        default=argparse.SUPPRESS,
        help="refuse every act that changes anything",
    )


def _verbs_help() -> str:
    lines = ["verbs:"]
    for group in GROUPS:
        lines.append(f"  {group.title}")
        lines += [f"    {verb.name:<20}{verb.help}" for verb in group.verbs]
    lines += [
        "",
        "exit codes: 0 done, 1 refused or failed, 2 usage or configuration,",
        "            3 cannot connect, 130 interrupted",
    ]
    return "\n".join(lines)


def _check_without_verb(front: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    if args.no_ui and args.theme:
        raise ConfigError("", "", "--theme is the console's; --no-ui has none", "Leave one out")
    for option in () if args.no_ui else _given(front, args, _OF_A_SERVICE):
        raise ConfigError("", "", f"{option} goes with --no-ui only", "See `ccr --help`")


def _refuse_before_verb(
    front: argparse.ArgumentParser, args: argparse.Namespace, verb: str
) -> None:
    """Refuse options that would be passed over in silence, and take them out of the arguments."""
    without_verb = ("no_ui", "theme", *_OF_A_SERVICE)
    for option in _given(front, args, without_verb):
        cause = f"{option} before the verb {verb} says nothing"
        raise ConfigError("", "", cause, f"See `ccr {verb} --help`")
    for name in without_verb:
        delattr(args, name)


def _given(
    front: argparse.ArgumentParser, args: argparse.Namespace, names: Iterable[str]
) -> Iterator[str]:
    """Yield the options, as they are written, that differ from their defaults."""
    for name in names:
        if getattr(args, name) != front.get_default(name):
            yield f"--{name.replace('_', '-')}"
