"""`ccr connect restart|pause|resume|stop|delete|reset-topics|loggers`: acts on connectors."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ccr_tui.cli.confirming import require_confirmation
from ccr_tui.cli.connect_api import endpoint_of, opened
from ccr_tui.cli.connect_look import print_json
from ccr_tui.cli.tables import Row, table
from engine.api.connect_protocol import ConnectApi
from engine.api.snapshots import CommandResult
from engine.config.cluster_section import Environment
from engine.config.matching import Pattern
from engine.config.regexes import check_regex
from engine.errors import CcrError, ConfigError, ExitCode, RefusedError

_Act = Callable[[ConnectApi, str, str], Awaitable[CommandResult]]


async def run_restart(args: argparse.Namespace) -> int:
    """Restart what has failed, all, or a task."""
    if args.task is not None:
        return await _each(
            args, "restarting", lambda api, on, name: api.restart_task(on, name, args.task)
        )
    return await _each(
        args, "restarting", lambda api, on, name: api.restart(on, name, only_failed=not args.all)
    )


async def run_pause(args: argparse.Namespace) -> int:
    """Pause connectors."""
    return await _each(args, "pausing", lambda api, on, name: api.pause(on, name))


async def run_resume(args: argparse.Namespace) -> int:
    """Resume connectors."""
    return await _each(args, "resuming", lambda api, on, name: api.resume(on, name))


async def run_stop(args: argparse.Namespace) -> int:
    """Stop connectors."""
    return await _each(args, "stopping", lambda api, on, name: api.stop(on, name))


async def run_delete(args: argparse.Namespace) -> int:
    """Delete connectors, once the name was given twice."""
    return await _each(
        args, "deleting", lambda api, on, name: api.delete(on, name), always_confirm=True
    )


async def run_reset_topics(args: argparse.Namespace) -> int:
    """Forget which topics a connector has used."""
    async with opened(args) as api:
        endpoint = await endpoint_of(api, args)
        result = await api.reset_topics(endpoint, args.name)
    return _print_results(args, [_result(endpoint, args.name, result)])


async def _each(
    args: argparse.Namespace, operation: str, act: _Act, *, always_confirm: bool = False
) -> int:
    """Act on the connector, or on each that the regex selects, one after the other."""
    results = []
    async with opened(args) as api:
        endpoint = await endpoint_of(api, args)
        names = await _selected(api, endpoint, args, operation)
        if always_confirm and not args.regex:
            where = await _where(api, endpoint)
            await _confirm(args, f"{operation} connector", f"{args.name} on {where} goes.")
        for name in names:
            try:
                results.append(_result(endpoint, name, await act(api, endpoint, name)))
            except CcrError as error:
                if len(names) == 1:
                    raise
                results.append({"endpoint": endpoint, "connector": name, "problem": str(error)})
    return _print_results(args, results)


async def _selected(
    api: ConnectApi, endpoint: str, args: argparse.Namespace, operation: str
) -> list[str]:
    """Return the connectors that are meant; those of a regex were shown and confirmed."""
    if not args.regex:
        return [args.name]
    try:
        regex = Pattern(check_regex(args.name))
    except ValueError as error:
        raise ConfigError("reading the regex", args.name, str(error)) from None
    page = await api.connectors(endpoint)
    rows = [row for row in page.connectors if regex.matches(row.name)]
    if not rows:
        raise RefusedError(f"{operation} connectors", args.name, f"none of {endpoint} matches")
    shown = table(
        ("Connector", "State", "Failed"),
        [Row((row.name, row.state, "yes" if row.failed else "no")) for row in rows],
    )
    print("\n".join(shown), file=sys.stderr)
    what = f"{operation} these {len(rows)} connectors of {await _where(api, endpoint)}."
    await _confirm(args, f"{operation} connectors", what[0].upper() + what[1:])
    return [row.name for row in rows]


async def _where(api: ConnectApi, endpoint: str) -> str:
    """Name a Connect cluster, and that it is in production."""
    found = {each.name: each.environment for each in await api.endpoints()}
    is_production = found.get(endpoint) == Environment.PRODUCTION
    return f"{endpoint} (PRODUCTION)" if is_production else endpoint


async def _confirm(args: argparse.Namespace, operation: str, warning: str) -> None:
    await asyncio.to_thread(require_confirmation, args.confirm, args.name, operation, warning)


def _result(endpoint: str, name: str, result: CommandResult) -> dict[str, Any]:
    return {
        "endpoint": endpoint,
        "connector": name,
        "changed": result.changed,
        "text": result.text,
    }


def _print_results(args: argparse.Namespace, results: list[dict[str, Any]]) -> int:
    if args.json:
        print_json({"results": results})
    for each in results:
        if "problem" in each:
            print(f"ccr: {each['problem']}", file=sys.stderr)
        elif not args.json:
            print(each["text"])
    return ExitCode.FAILED if any("problem" in each for each in results) else ExitCode.OK


async def run_loggers(args: argparse.Namespace) -> int:
    """Print the workers' loggers, or set the level of one."""
    async with opened(args) as api:
        endpoint = await endpoint_of(api, args)
        if args.level is not None:
            result = await api.set_logger(endpoint, args.logger, args.level, worker=args.worker)
            print(result.text) if not args.json else print_json(result)
            return ExitCode.OK
        workers = [
            each
            for each in await api.loggers(endpoint)
            if args.worker is None or each.url == args.worker
        ]
    if args.json:
        print_json({"workers": workers})
        return ExitCode.OK
    rows = [
        Row((name, level.level or "-", worker.url))
        for worker in workers
        for name, level in sorted(worker.levels.items())
        if args.logger is None or name == args.logger or name.startswith(f"{args.logger}.")
    ]
    print("\n".join(table(("Logger", "Level", "Worker"), rows)))
    problems = [worker.problem for worker in workers if worker.problem]
    for problem in problems:
        print(f"ccr: {problem}", file=sys.stderr)
    return ExitCode.CANNOT_CONNECT if problems else ExitCode.OK
