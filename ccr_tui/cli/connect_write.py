"""`ccr connect create|apply|diff|edit|patch`: connectors' settings."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ccr_tui.cli.connect_api import endpoint_of, opened
from ccr_tui.cli.connect_look import print_json
from ccr_tui.cli.tables import indented
from engine.api.connect_protocol import ConnectApi
from engine.api.connect_snapshots import ConnectorProposal
from engine.connect import inputs
from engine.connect.hiding import HIDDEN
from engine.connect.inputs import Given
from engine.connect.models import Settings
from engine.errors import ConfigError, ExitCode, KafkaError, RefusedError
from engine.printable import printable


def text_of(path: Path) -> str:
    """Read a file, or standard input for -; raises ConfigError."""
    if str(path) == "-":
        return sys.stdin.read()
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError("reading", str(path), "it is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError("reading", str(path), error.strerror or str(error)) from None


async def _given(args: argparse.Namespace) -> list[tuple[str, Given]]:
    """Read the files; returns each connector with its name. Raises ConfigError."""
    found = []
    for path in args.file:
        given = inputs.parse(await asyncio.to_thread(text_of, path), str(path))
        name = args.name or given.name
        if not name:
            raise ConfigError(
                "reading the connector in", str(path), "nothing tells its name", "Add -n NAME"
            )
        found.append((name, given))
    if args.name and len(found) > 1:
        raise ConfigError("reading the option", "-n", "it goes with one file only")
    return found


async def run_apply(args: argparse.Namespace) -> int:
    """Create or change connectors."""
    given = await _given(args)
    results: list[Any] = []
    code = ExitCode.OK
    async with opened(args) as api:
        endpoint = await endpoint_of(api, args)
        for name, each in given:
            proposal = await api.propose(endpoint, name, each.settings)
            if args.must_be_new and proposal.exists:
                raise RefusedError(
                    "creating connector", name, f"{endpoint} has one of that name",
                    f"Change it with: ccr connect apply -f {args.file[0]}",
                )  # fmt: skip
            if args.dry_run:
                results.append(proposal)
                code = ExitCode.FAILED if proposal.errors else code
                continue
            _require_valid(proposal)
            state = _state(args, proposal, each)
            result = await api.apply(endpoint, name, each.settings, initial_state=state)
            results.append({"endpoint": endpoint, "connector": name, **_told(result)})
            if not args.json:
                print(result.text)
    if args.json:
        print_json({"proposals" if args.dry_run else "results": results})
    elif args.dry_run:
        print("\n".join(line for each in results for line in proposal_lines(each)))
    return code


def _state(args: argparse.Namespace, proposal: ConnectorProposal, given: Given) -> str | None:
    """Return what a new connector is to be; raises RefusedError for one that is there."""
    if not proposal.exists:
        return args.state or given.initial_state
    if args.state is not None:
        raise RefusedError(
            "writing connector", proposal.connector, "it is there, and --state is for new ones",
            "Use ccr connect stop, pause or resume",
        )  # fmt: skip
    return None


def _told(result: Any) -> dict[str, Any]:
    return {"changed": result.changed, "text": result.text}


def _require_valid(proposal: ConnectorProposal) -> None:
    if proposal.errors:
        listed = "; ".join(f"{each.key}: {each.text}" for each in proposal.errors)
        raise KafkaError("writing connector", proposal.connector, listed, "Nothing was changed")


async def run_diff(args: argparse.Namespace) -> int:
    """Print what apply would change."""
    given = await _given(args)
    async with opened(args) as api:
        endpoint = await endpoint_of(api, args)
        found = [await api.propose(endpoint, name, each.settings) for name, each in given]
    if args.json:
        print_json({"proposals": found})
    else:
        print("\n".join(line for each in found for line in proposal_lines(each)))
    return ExitCode.FAILED if any(each.changes or each.errors for each in found) else ExitCode.OK


def proposal_lines(proposal: ConnectorProposal) -> Iterator[str]:
    """Lay out what would change, as a diff, and what is wrong with it."""
    name, on = proposal.connector, proposal.endpoint
    if not proposal.exists:
        yield f"{name} is new on {on}"
    elif proposal.changes:
        yield f"{name} on {on}"
    else:
        yield f"{name} on {on}: nothing changes"
    for change in proposal.changes:
        hidden = change.before == change.after == HIDDEN
        if change.before is not None:
            yield printable(f"  - {change.key} = {change.before}")
        if change.after is not None:
            note = " (another one)" if hidden else ""
            yield printable(f"  + {change.key} = {change.after}{note}")
    for error in proposal.errors:
        yield from indented(f"error: {error.key}: {error.text}")


async def run_patch(args: argparse.Namespace) -> int:
    """Change some settings."""
    changes: Settings = dict.fromkeys(args.remove)
    for each in args.changes:
        key, equals, value = each.partition("=")
        if not key or not equals:
            raise ConfigError("reading the change", each, "it is not KEY=VALUE")
        changes[key] = value
    if not changes:
        raise ConfigError("patching connector", args.name, "no change is given", "Add KEY=VALUE")
    async with opened(args) as api:
        endpoint = await endpoint_of(api, args)
        return await _write(api, endpoint, args, changes, patch=True)


async def _write(
    api: ConnectApi, endpoint: str, args: argparse.Namespace, settings: Settings, *, patch: bool
) -> int:
    proposal = await api.propose(endpoint, args.name, settings, patch=patch)
    if args.dry_run:
        if args.json:
            print_json({"proposals": [proposal]})
        else:
            print("\n".join(proposal_lines(proposal)))
        return ExitCode.FAILED if proposal.errors else ExitCode.OK
    _require_valid(proposal)
    result = await api.apply(endpoint, args.name, settings, patch=patch)
    if args.json:
        print_json({"results": [{"endpoint": endpoint, "connector": args.name, **_told(result)}]})
    else:
        print(result.text)
    return ExitCode.OK


async def run_edit(args: argparse.Namespace) -> int:
    """Open the settings in an editor; write them once the difference was seen."""
    if not sys.stdin.isatty():
        raise RefusedError(
            "editing connector", args.name, "this is no terminal", "Use ccr connect patch or apply"
        )
    async with opened(args) as api:
        endpoint = await endpoint_of(api, args)
        shown = (await api.connector(endpoint, args.name)).connector.config
        text = json.dumps(dict(sorted(shown.items())), indent=2, ensure_ascii=False) + "\n"
        edited = await asyncio.to_thread(_edited, text)
        settings = inputs.parse(edited, "the editor").settings
        if settings == shown:
            print("Nothing was changed.", file=sys.stderr)
            return ExitCode.OK
        proposal = await api.propose(endpoint, args.name, settings)
        print("\n".join(proposal_lines(proposal)), file=sys.stderr)
        _require_valid(proposal)
        if not await asyncio.to_thread(_yes, "Write it? [y/N] "):
            raise RefusedError("editing connector", args.name, "it was not confirmed")
        args.dry_run = False
        return await _write(api, endpoint, args, settings, patch=False)


def _edited(text: str) -> str:
    """Return what becomes of a text in $VISUAL or $EDITOR; blocks. Raises ConfigError."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="ccr-") as folder:  # mode 0700
        path = Path(folder) / "connector.json"
        path.write_text(text, encoding="utf-8")
        try:
            code = subprocess.call([*shlex.split(editor), str(path)])
        except OSError as error:
            raise ConfigError(
                "starting the editor", editor, error.strerror or str(error), "Set $EDITOR"
            ) from None
        if code != 0:
            raise RefusedError("editing with", editor, f"it ended with {code}; nothing was changed")
        return path.read_text(encoding="utf-8")


def _yes(question: str) -> bool:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
