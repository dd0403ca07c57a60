"""`ccr import`: a configuration of MirrorMaker 2 or Replicator as one of ours, key by key."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ccr_tui.cli.tables import Row, table
from engine.config.home import expanded
from engine.errors import ConfigError, ExitCode, RefusedError

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers
    from engine.config.editing.edits import Put
    from engine.importing.report import Imported, KeyReport

_DESCRIPTION = """Read a configuration of MirrorMaker 2 (mm2.properties) or Confluent Replicator
(replicator.properties), or a connector's JSON of either, and write it as a configuration of ccr.
What became of every key is told on standard error. Without --output the configuration goes to
standard output and nothing is written. Secrets in the file are never written into the
configuration. More: docs/importing.md."""


def add_parser(subparsers: Subparsers) -> None:
    """Add `import`."""
    parser = subparsers.add_parser(
        "import",
        help="mm2.properties, replicator.properties or connector JSON as a configuration",
        description=_DESCRIPTION,
    )
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--output", metavar="FILE", help="where the configuration is written to")
    parser.add_argument("--force", action="store_true", help="overwrite files that are there")
    parser.add_argument(
        "--dry-run", action="store_true", help="write and store nothing, whatever else is said"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="sets",
        metavar="KEY=VALUE",
        help="put in a value, as YAML: clusters.dr.bootstrap_servers=kafka.dr.example:9092",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--store-secrets", action="store_true", help="put secrets of the file into the keyring"
    )
    where.add_argument(
        "--secret-files",
        metavar="FOLDER",
        help="write secrets of the file into files there, mode 0600, where there is no keyring",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object (docs/cli.md)")
    parser.set_defaults(func=import_configuration)


def import_configuration(args: argparse.Namespace) -> int:
    """Import a file; raises ConfigError, and RefusedError for files that are there already."""
    # pydantic takes a quarter of a second, which `ccr --help` need not wait for.
    from engine.config import loader  # noqa: PLC0415
    from engine.importing import keeping  # noqa: PLC0415
    from engine.importing.importer import import_file  # noqa: PLC0415
    from engine.importing.writing import yaml_text  # noqa: PLC0415

    imported = import_file(Path(args.file))
    secret_files = expanded(args.secret_files) if args.secret_files else None
    sets = [_put(text) for text in args.sets]
    if secret_files is not None:
        sets = [*keeping.file_references(imported.secrets, secret_files), *sets]
    text = yaml_text(imported, sets)
    output = expanded(args.output) if args.output else None
    warnings = loader.check(text, output or Path(args.file)).warnings
    writes = not args.dry_run
    _refuse(args, output, writes=writes)
    stored = _store(args, imported, secret_files) if writes else ""
    if output is not None and writes:
        _write(output, text, force=args.force)
    if args.json:
        written = str(output) if output and writes else None
        print(json.dumps(_answer(imported, text, written, stored), indent=2, ensure_ascii=False))
        return ExitCode.OK
    _tell(_report(imported, stored))
    _tell(f"ccr: warning: {warning}" for warning in warnings)
    if output is not None and writes:
        _tell([f"{output}: written. Look at it, then run: ccr check --config {output}"])
    else:
        print(text, end="")
    return ExitCode.OK


def _refuse(args: argparse.Namespace, output: Path | None, *, writes: bool) -> None:
    """Refuse before anything is stored; raises RefusedError."""
    if not writes:
        return
    changes = output is not None or args.store_secrets or args.secret_files
    if changes and args.read_only:
        cause = "ccr was started read-only"
        raise RefusedError("importing", args.file, cause, "Leave out --read-only, or --output")
    if output is not None and output.exists() and not args.force:
        step = "Name another file, or add --force"
        raise RefusedError("writing", str(output), "it is there already", step)


def _store(args: argparse.Namespace, imported: Imported, secret_files: Path | None) -> str:
    """Store the secrets as asked for; return how."""
    from engine.config.os_keyring import KeyringError  # noqa: PLC0415  (as above)
    from engine.importing import keeping  # noqa: PLC0415

    if not imported.secrets:
        return ""
    if secret_files is not None:
        keeping.into_files(imported.secrets, secret_files, overwrite=args.force)
        return f"files in {secret_files}"
    if args.store_secrets:
        try:
            asyncio.run(keeping.into_keyring(imported.secrets))
        except KeyringError as error:
            step = f"{error.next_step}. Or: ccr import --secret-files FOLDER"
            raise RefusedError(error.operation, error.object, error.cause, step) from None
        return "keyring"
    return ""


def _put(text: str) -> Put:
    """Read KEY=VALUE; raises ConfigError."""
    import yaml  # noqa: PLC0415  (as above)

    from engine.config.editing.edits import Put  # noqa: PLC0415

    key, equals, value = text.partition("=")
    path = tuple(part for part in key.strip().split("."))
    if not equals or not all(path):
        raise ConfigError("", "", f"--set {key} must be KEY=VALUE", "See `ccr import --help`")
    try:
        found = yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError("", "", f"--set {key}: the value is no YAML", "Quote it") from None
    if path[-1] == "bootstrap_servers" and isinstance(found, str):
        found = [server.strip() for server in found.split(",")]
    return Put(path, found)


def _write(output: Path, text: str, *, force: bool) -> None:
    from engine.config.editing import file  # noqa: PLC0415  (as above)

    if force and output.exists():
        file.write(file.read(output), text)
    else:
        file.create(output, text)


def _report(imported: Imported, stored: str) -> Iterator[str]:
    yield f"{imported.name}: {imported.kind}"
    yield from table(("KEY", "line", "OUTCOME"), list(map(_row, imported.keys)))
    counts: dict[str, int] = {}
    for each in imported.keys:
        counts[each.outcome] = counts.get(each.outcome, 0) + 1
    yield ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    for flow in imported.left_out:
        yield f"The flow {flow.name} is a comment only: {'; '.join(flow.reasons)}"
    if imported.secrets and not stored:
        yield "Secrets of the file are not stored. Add --store-secrets or --secret-files, or run:"
        for secret in imported.secrets:
            yield f"  ccr secrets set {secret.reference.removeprefix('keyring:')}"
    elif stored:
        yield f"{len(imported.secrets)} secrets stored: {stored}"


def _row(each: KeyReport) -> Row:
    notes = (f"to {each.into}" if each.into else "", each.text)
    return Row((each.key, str(each.line or ""), each.outcome), tuple(filter(None, notes)))


def _answer(imported: Imported, text: str, output: str | None, stored: str) -> dict[str, object]:
    return {
        "file": imported.name,
        "kind": imported.kind,
        "config": text,
        "output": output,
        "keys": [
            {
                "key": each.key,
                "line": each.line,
                "value": each.value,
                "outcome": each.outcome,
                "into": each.into,
                "text": each.text,
            }
            for each in imported.keys
        ],
        "left_out": [
            {"name": flow.name, "reasons": list(flow.reasons)} for flow in imported.left_out
        ],
        "secrets": [
            {"key": each.key, "into": ".".join(each.path), "reference": each.reference}
            for each in imported.secrets
        ],
        "stored": stored,
    }


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)
