"""`ccr connect offsets show|set|reset`."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from ccr_tui.cli.confirming import require_confirmation
from ccr_tui.cli.connect_api import endpoint_of, opened
from ccr_tui.cli.connect_look import print_json
from ccr_tui.cli.connect_write import text_of
from ccr_tui.cli.tables import Row, table
from engine.api.connect_protocol import ConnectApi
from engine.api.snapshots import CommandResult
from engine.connect.models import Offset, Offsets
from engine.errors import ConfigError, ExitCode


async def run_show(args: argparse.Namespace) -> int:
    """Print a connector's offsets."""
    async with opened(args) as api:
        offsets = await api.offsets(await endpoint_of(api, args), args.name)
    if args.json:
        print_json({"offsets": offsets})
    elif offsets:
        rows = [Row((_words(each.partition), _words(each.offset))) for each in offsets]
        print("\n".join(table(("Partition", "Offset"), rows)))
    else:
        print(f"{args.name} has no offsets.")
    return ExitCode.OK


def _words(found: Mapping[str, object] | None) -> str:
    if found is None:
        return "none"
    return ", ".join(f"{key}={json.dumps(value)}" for key, value in found.items())


async def run_set(args: argparse.Namespace) -> int:
    """Set offsets, once the connector's name was given twice."""
    offsets = await asyncio.to_thread(_read, args.file)
    await _confirm(args, f"{len(offsets)} offsets of {args.name} are overwritten.")
    async with opened(args) as api:
        endpoint = await endpoint_of(api, args)
        await _stopped(api, endpoint, args)
        return _print(args, await api.set_offsets(endpoint, args.name, offsets))


async def run_reset(args: argparse.Namespace) -> int:
    """Forget offsets, once the connector's name was given twice."""
    await _confirm(args, f"{args.name} will begin again from its beginning.")
    async with opened(args) as api:
        endpoint = await endpoint_of(api, args)
        await _stopped(api, endpoint, args)
        return _print(args, await api.reset_offsets(endpoint, args.name))


async def _confirm(args: argparse.Namespace, warning: str) -> None:
    operation = "changing the offsets of connector"
    await asyncio.to_thread(require_confirmation, args.confirm, args.name, operation, warning)


async def _stopped(api: ConnectApi, endpoint: str, args: argparse.Namespace) -> None:
    if args.stop:
        await api.stop(endpoint, args.name)


def _print(args: argparse.Namespace, result: CommandResult) -> int:
    if args.json:
        print_json(result)
    else:
        print(result.text)
        if args.stop:
            print(f"It is STOPPED; let it run again with: ccr connect resume {args.name}")
    return ExitCode.OK


def _read(path: Path) -> tuple[Offset, ...]:
    try:
        return Offsets.model_validate_json(text_of(path)).offsets
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(
            "reading the offsets in", str(path), f"{where} {first['msg']}".strip(),
            'Give {"offsets": [{"partition": {…}, "offset": {…}}]}, as show --json prints them',
        ) from None  # fmt: skip
