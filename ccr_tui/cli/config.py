"""`ccr validate` and `ccr config`: checks a configuration, writes a starter, prints the schema."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ccr_tui.resources import sample_configs_dir
from engine.config import locations
from engine.config.home import expanded
from engine.errors import ConfigError, ExitCode, RefusedError

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers
    from engine.config.loader import Loaded
    from engine.config.problems import Problem

STARTER = "starter.yaml"
_SCHEMA_LINE = "# yaml-language-server: $schema="


def add_parser(subparsers: Subparsers) -> None:
    """Add `validate` and `config`."""
    validate = subparsers.add_parser(
        "validate",
        help="check a configuration file",
        description="Check a configuration file without connecting to anything. Every problem is "
        "told on standard error with file, line and key; exit code 2 when there is one.",
    )
    validate.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="default: $CCR_CONFIG, ./ccr.yaml, the user's ccr/ccr.yaml",
    )
    validate.add_argument(
        "--json", action="store_true", help="print one JSON object (docs/config.md)"
    )
    validate.set_defaults(func=validate_file)
    _add_config_verbs(subparsers)


def _add_config_verbs(subparsers: Subparsers) -> None:
    config = subparsers.add_parser(
        "config",
        help="write a starter file; print the JSON Schema",
        description="Help with writing a configuration file. Every key: docs/config.md.",
    )
    verbs = config.add_subparsers(metavar="VERB", required=True)
    init = verbs.add_parser(
        "init",
        help="write a commented starter file",
        description="Write a commented starter file: edit it, then run ccr validate.",
    )
    init.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        default=locations.FILE_NAME,
        help=f"where to (default: {locations.FILE_NAME})",
    )
    init.add_argument("--force", action="store_true", help="overwrite a file that is there")
    init.set_defaults(func=init_file)
    schema = verbs.add_parser(
        "schema",
        help="print the JSON Schema",
        description="Print the JSON Schema of the configuration file, for editors.",
    )
    schema.set_defaults(func=print_schema)
    console = verbs.add_parser(
        "console",
        help="check the console's settings",
        description="Check the user's settings of the console. Every problem is told on standard "
        "error with file, line and key; exit code 2 when there is one.",
    )
    console.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="default: $CCR_CONSOLE_SETTINGS, the user's ccr/console.yaml",
    )
    console.set_defaults(func=check_console)


def validate_file(args: argparse.Namespace) -> int:
    """Check a file. Raises InvalidConfigError with all that is wrong, after printing it as JSON."""
    # pydantic takes a quarter of a second, which `ccr config init` need not wait for.
    from engine.config.loader import read  # noqa: PLC0415
    from engine.config.problems import InvalidConfigError  # noqa: PLC0415

    path = Path(args.file) if args.file else locations.find(args.config)
    try:
        loaded = read(path)
    except InvalidConfigError as error:
        if args.json:
            _print_json(path, None, error.problems, ())
        raise
    for warning in loaded.warnings:
        print(f"ccr: warning: {warning}", file=sys.stderr)
    if args.json:
        _print_json(path, loaded, (), loaded.warnings)
    else:
        print(f"{path}: valid: {_counted(loaded)}")
    return ExitCode.OK


def _counted(loaded: Loaded) -> str:
    numbers = {"cluster": len(loaded.config.clusters), "flow": len(loaded.config.flows)}
    return ", ".join(
        f"{count} {word}{'' if count == 1 else 's'}" for word, count in numbers.items()
    )


def _print_json(
    path: Path, loaded: Loaded | None, problems: Iterable[Problem], warnings: Iterable[Problem]
) -> None:
    answer = {
        "file": str(path),
        "valid": loaded is not None,
        "clusters": sorted(loaded.config.clusters) if loaded else [],
        "flows": sorted(loaded.config.flows) if loaded else [],
        "connect": sorted(loaded.config.connect) if loaded else [],
        "problems": [asdict(problem) for problem in problems],
        "warnings": [asdict(warning) for warning in warnings],
    }
    print(json.dumps(answer, indent=2, ensure_ascii=False))


def init_file(args: argparse.Namespace) -> int:
    """Write the starter; raises RefusedError when the file is there, ConfigError when it cannot."""
    path = expanded(args.file)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if args.force else os.O_EXCL)
    try:
        descriptor = os.open(path, flags, 0o666)
    except FileExistsError:
        raise RefusedError(
            "writing", str(path), "it is there already", "Name another file, or add --force"
        ) from None
    except OSError as error:
        raise ConfigError("writing", str(path), error.strerror or str(error)) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(_starter())
    print(f"{path}: written. Edit it, then run: ccr validate {path}", file=sys.stderr)
    return ExitCode.OK


def _starter() -> str:
    """Return the starter with the place of the schema that this ccr came with."""
    folder = sample_configs_dir()
    head, newline, rest = (folder / STARTER).read_text(encoding="utf-8").partition("\n")
    relative = head.removeprefix(_SCHEMA_LINE)
    return f"{_SCHEMA_LINE}{folder / relative}{newline}{rest}"


def print_schema(args: argparse.Namespace) -> int:
    """Print the schema."""
    from engine.config.schema import schema_text  # noqa: PLC0415  (as above)

    print(schema_text(), end="")
    return ExitCode.OK


def check_console(args: argparse.Namespace) -> int:
    """Check the console's settings; raises InvalidConfigError with all that is wrong."""
    from ccr_tui.settings.loader import load_settings  # noqa: PLC0415  (as above)
    from ccr_tui.user_files import settings_path  # noqa: PLC0415
    from engine.config.problems import InvalidConfigError  # noqa: PLC0415

    path = expanded(args.file) if args.file else settings_path()
    settings = load_settings(path)
    if settings.problems:
        raise InvalidConfigError(str(path), settings.problems)
    print(f"{path}: valid")
    return ExitCode.OK
