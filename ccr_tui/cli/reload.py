"""`ccr reload`: apply what the configuration says now to the engine that runs it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.api.config_snapshots import Applied, EffectKind
from engine.errors import ConnectError
from engine.service.client import EngineGoneError, EngineHangsError, RemoteEngineApi
from engine.service.config_codec import APPLIED
from engine.service.paths import service_paths

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "reload",
        help="apply the changed configuration",
        description="Apply what the configuration says now to the engine that runs it on this "
        "host: flows that did not change go on untouched. A file with a mistake changes nothing.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only tell what would be started, stopped, changed"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object (docs/cli.md)")
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Reload and print what that did; raises CcrError."""
    paths = service_paths(args.config)
    api = RemoteEngineApi(paths.socket, read_only=args.read_only)
    try:
        applied = await api.config.reload(dry_run=args.dry_run)
    except EngineHangsError:
        raise
    except EngineGoneError:
        raise ConnectError(
            "reloading",
            str(paths.config),
            f"no engine runs {paths.config} on this host",
            f"Run: ccr --no-ui --config {paths.config}",
        ) from None
    finally:
        await api.close()
    if args.json:
        print(json.dumps(APPLIED.dump_python(applied, mode="json"), ensure_ascii=False))
        return 0
    print("\n".join(_lines(applied)))
    for told in (*(each.text for each in applied.warnings), *applied.notes):
        print(told, file=sys.stderr)
    return 0


def _lines(applied: Applied) -> Iterator[str]:
    if not applied.changed:
        yield applied.text
        return
    for each in applied.effects:
        if each.kind is not EffectKind.NOTHING:
            yield f"{each.subject} {each.name}: {each.kind} ({each.why})"
    if applied.dry_run:
        yield "nothing was applied (--dry-run)"
