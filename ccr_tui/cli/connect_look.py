"""`ccr connect list|describe|status|tasks|trace|plugins`: what there is and how it is."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from ccr_tui.cli.connect_api import endpoint_of, no_endpoints, opened
from ccr_tui.cli.tables import Row, indented, table
from engine.api.connect_protocol import ConnectApi
from engine.api.connect_snapshots import ConnectorRow, ConnectorsPage
from engine.connect.models import ConnectorStatus, InstanceStatus
from engine.connect.proving import first_line
from engine.errors import CcrError, ConnectError, ExitCode
from engine.printable import printable

_MOST_CAUSES = 3  # below one connector; `ccr connect status` has the others


def print_json(answer: Any) -> None:
    """Print one JSON object."""
    print(json.dumps(to_jsonable_python(answer), indent=2, ensure_ascii=False))


async def run_list(args: argparse.Namespace) -> int:
    """Print the connectors of one Connect cluster, or of all."""
    async with opened(args) as api:
        names = [args.on] if args.on else [each.name for each in await api.endpoints()]
        if not names:
            raise no_endpoints(args)
        found = await asyncio.gather(*(_page(api, name) for name in names))
    if args.on and isinstance(found[0], CcrError):
        raise found[0]
    if args.json:
        print_json({"endpoints": [_listed(*each) for each in zip(names, found, strict=True)]})
    else:
        print("\n".join(_list_lines(dict(zip(names, found, strict=True)))))
    for each in found:
        if isinstance(each, CcrError):
            print(f"ccr: {each}", file=sys.stderr)
    return _exit_code(found)


async def _page(api: ConnectApi, name: str) -> ConnectorsPage | CcrError:
    try:
        return await api.connectors(name)
    except CcrError as error:
        return error


def _listed(name: str, found: ConnectorsPage | CcrError) -> dict[str, Any]:
    if isinstance(found, CcrError):
        return {"endpoint": name, "problem": str(found), "connectors": []}
    page: dict[str, Any] = to_jsonable_python(found)
    return {**page, "problem": None}


def _exit_code(found: list[ConnectorsPage | CcrError]) -> ExitCode:
    if any(isinstance(each, ConnectError) for each in found):
        return ExitCode.CANNOT_CONNECT
    pages = [each for each in found if isinstance(each, ConnectorsPage)]
    failed = any(row.failed for page in pages for row in page.connectors)
    return ExitCode.FAILED if failed or len(pages) < len(found) else ExitCode.OK


def _list_lines(found: Mapping[str, ConnectorsPage | CcrError]) -> Iterator[str]:
    rows = [
        Row((row.name, name, row.type or "-", row.state, _tasks(row)), tuple(_causes(row)))
        for name, page in found.items()
        if isinstance(page, ConnectorsPage)
        for row in page.connectors
    ]
    if rows:
        yield from table(("Connector", "On", "Type", "State", "Tasks"), rows)
        return
    asked = [name for name, page in found.items() if isinstance(page, ConnectorsPage)]
    if asked:
        yield f"No connectors on {', '.join(asked)}."


def _tasks(row: ConnectorRow) -> str:
    counts: dict[str, int] = {}
    for task in row.tasks:
        counts[task.state] = counts.get(task.state, 0) + 1
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"


def _causes(row: ConnectorRow) -> Iterator[str]:
    if row.cause:
        yield f"the connector: {row.cause}"
    by_cause: dict[str, list[str]] = {}
    for task in row.tasks:
        if task.cause:
            by_cause.setdefault(task.cause, []).append(str(task.id))
    for cause, tasks in list(by_cause.items())[:_MOST_CAUSES]:
        yield f"task {', '.join(tasks)}: {cause}"
    if len(by_cause) > _MOST_CAUSES:
        yield f"and {len(by_cause) - _MOST_CAUSES} other causes"


async def run_describe(args: argparse.Namespace) -> int:
    """Print a connector."""
    async with opened(args) as api:
        detail = await api.connector(await endpoint_of(api, args), args.name)
    if args.json:
        print_json(detail)
        return ExitCode.OK
    print(f"{detail.connector.name} on {detail.endpoint}: {detail.connector.type}")
    print("\n".join(_status_lines(detail.status)))
    print(f"Topics: {', '.join(detail.topics) or 'none so far'}")
    print("Settings:")
    for key, value in sorted(detail.connector.config.items()):
        print(printable(f"    {key} = {value}"))
    return ExitCode.OK


async def run_status(args: argparse.Namespace) -> int:
    """Print the states of a connector; exit code 1 when something has failed."""
    async with opened(args) as api:
        detail = await api.connector(await endpoint_of(api, args), args.name)
    if args.json:
        print_json(detail.status)
    else:
        print("\n".join(_status_lines(detail.status)))
    return ExitCode.FAILED if _failures(detail.status) else ExitCode.OK


def _status_lines(status: ConnectorStatus | None) -> Iterator[str]:
    if status is None:
        yield "No status so far."
        return
    rows = [
        Row(
            (what, instance.state, instance.worker_id or "-"),
            (first_line(instance.trace),) if instance.trace else (),
        )
        for what, instance in status.instances().items()
    ]
    yield from table(("What", "State", "Worker"), rows)


def _failures(status: ConnectorStatus | None) -> dict[str, InstanceStatus]:
    instances = status.instances() if status else {}
    return {what: each for what, each in instances.items() if each.state == "FAILED"}


async def run_trace(args: argparse.Namespace) -> int:
    """Print why something failed; exit code 1 when something has."""
    async with opened(args) as api:
        detail = await api.connector(await endpoint_of(api, args), args.name)
    failures = _failures(detail.status)
    if args.json:
        print_json({what: each.trace for what, each in failures.items()})
    elif not failures:
        print(f"Nothing of {args.name} has failed.")
    for trace, places in () if args.json else _by_trace(failures).items():
        print(f"{', '.join(places)}: {printable(first_line(trace))}")
        lines = trace.splitlines()
        for line in lines if args.full else _folded(lines):
            print(printable(f"    {line}".replace("\t", "    ")))
    return ExitCode.FAILED if failures else ExitCode.OK


def _by_trace(failures: Mapping[str, InstanceStatus]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for what, each in failures.items():
        found.setdefault(each.trace or "", []).append(f"{what} on {each.worker_id}")
    return found


def _folded(lines: list[str]) -> Iterator[str]:
    """Yield what went wrong and by which cause; of where, the first place of each alone."""
    places = 0
    for line in lines:
        if line.lstrip().startswith(("at ", "...")):
            places += 1
            if places > 1:
                continue
        else:
            places = 0
        yield line


async def run_tasks(args: argparse.Namespace) -> int:
    """Print a connector's tasks."""
    async with opened(args) as api:
        tasks = await api.tasks(await endpoint_of(api, args), args.name)
    if args.json:
        print_json({"tasks": tasks})
        return ExitCode.OK
    for task in tasks:
        print(f"task {task.id.task}")
        for key, value in sorted(task.config.items()):
            print(printable(f"    {key} = {value}"))
    if not tasks:
        print(f"{args.name} has no tasks.")
    return ExitCode.OK


async def run_plugins(args: argparse.Namespace) -> int:
    """Print the workers' plugins, or the settings of one."""
    async with opened(args) as api:
        endpoint = await endpoint_of(api, args)
        if args.plugin:
            keys = await api.plugin(endpoint, args.plugin)
        else:
            plugins = await api.plugins(endpoint, connectors_only=not args.all)
    if args.plugin:
        if args.json:
            print_json({"settings": keys})
            return ExitCode.OK
        for key in keys:
            default = "required" if key.required else f"default {key.default_value}"
            print(printable(f"{key.name} ({key.type.lower()}, {default})"))
            print("\n".join(indented(key.documentation or "-")))
        return ExitCode.OK
    if args.json:
        print_json({"plugins": plugins})
        return ExitCode.OK
    rows = [Row((each.class_name, each.type, each.version or "-")) for each in plugins]
    print("\n".join(table(("Class", "Type", "Version"), rows)))
    return ExitCode.OK
