"""`ccr groups`: where consumer groups stand on both sides of a flow."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ccr_tui.cli.tables import Row, indented, table
from engine.api.group_snapshots import (
    GroupPartitionSnapshot,
    GroupSnapshot,
    GroupsPage,
    GroupState,
)
from engine.api.snapshots import Reason
from engine.errors import CcrError, ExitCode, RefusedError
from engine.service import wording

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers
    from engine.api.protocol import EngineApi


def add_parser(subparsers: Subparsers) -> None:
    """Add `groups`."""
    parser = subparsers.add_parser(
        "groups",
        help="consumer groups: translated, committed, to be read again",
        description="Show the consumer groups of one flow or of all: what they committed on the "
        "source, where that is on the target, what is committed there, and how many records would "
        "be read again, or would be lost, if they moved now. Asks the engine that runs this "
        "configuration on this host, or else the clusters themselves; changes nothing. "
        "Exit code: 1 a group failed, 3 a cluster cannot be reached, else 0.",
    )
    parser.add_argument("flow", nargs="?", metavar="FLOW", help="one flow (default: all)")
    parser.add_argument("--group", metavar="NAME", help="this group alone, with its partitions")
    parser.add_argument("--partitions", action="store_true", help="each group's partitions")
    parser.add_argument("--json", action="store_true", help="print one JSON object (docs/cli.md)")
    parser.set_defaults(func=run_groups)


async def run_groups(args: argparse.Namespace) -> int:
    """Ask and print; returns the exit code."""
    from ccr_tui.cli.reading import ask  # noqa: PLC0415  (slow imports)

    pages, code = await ask(args.config, args.flow, lambda api: _pages(api, args.flow))
    if args.group is not None:
        pages = [_only(page, args.group) for page in pages]
        if not any(page.groups for page in pages) and code == ExitCode.OK:
            cause = "no flow that was asked for has a group of that name with offsets"
            raise RefusedError("looking at group", args.group, cause)
    if args.json:
        print(json.dumps(groups_json(pages), indent=2, ensure_ascii=False))
    else:
        in_full = args.partitions or args.group is not None
        print("\n".join(groups_lines(pages, in_full=in_full)))
    return code


async def _pages(api: EngineApi, flow: str | None) -> tuple[list[GroupsPage], ExitCode]:
    """Ask for each flow's groups; a flow that fails has its reason, and the worst code counts."""
    names = [each.name for each in (await api.snapshot()).flows]
    pages, code = [], ExitCode.OK
    for name in names if flow is None else [flow]:
        try:
            page = await api.flows.groups(name)
        except CcrError as error:
            if flow is not None:
                raise
            why = Reason(f"{error.operation} {error.object}: {error.cause}", error.next_step)
            page = GroupsPage(name, False, 0.0, 0.0, why, ())
            code = max(code, error.exit_code)
        pages.append(page)
        if page.reason is not None or any(g.state == GroupState.FAILED for g in page.groups):
            code = max(code, ExitCode.FAILED)
    return pages, code


def _only(page: GroupsPage, name: str) -> GroupsPage:
    return replace(page, groups=tuple(group for group in page.groups if group.name == name))


def groups_json(pages: Sequence[GroupsPage]) -> dict[str, Any]:
    """Return the pages as JSON has them."""
    from engine.service.codec import GROUPS  # noqa: PLC0415  (slow imports)

    return {"flows": [GROUPS.dump_python(page, mode="json") for page in pages]}


# text


def groups_lines(pages: Sequence[GroupsPage], *, in_full: bool) -> Iterator[str]:
    """Word groups in lines of 80 columns, flow by flow."""
    for number, page in enumerate(pages):
        if number:
            yield ""
        yield _heading(page)
        if page.reason is not None:
            yield from indented(_sentence(page.reason))
        if not page.groups:
            if page.looked_at:
                yield from indented("no group has committed offsets for its topics")
            continue
        if in_full:
            for group in page.groups:
                yield ""
                yield from _in_full(group)
        else:
            titles = ("group", "State", "part", "re-read", "lost")
            yield from table(titles, [_group_row(group) for group in page.groups])


def _heading(page: GroupsPage) -> str:
    if not page.looked_at:
        return f"{page.flow}: not looked at"
    age = wording.duration(time.time() - page.looked_at)
    count = len(page.groups)
    off = "" if page.commits else "; sync.groups is off, nothing is committed"
    return f"{page.flow}: {count} group{'s' * (count != 1)}, {age} ago{off}"


def _group_row(group: GroupSnapshot) -> Row:
    cells = (
        group.name,
        group.state.value,
        str(len(group.partitions)),
        wording.count(group.again),
        wording.count(group.lost),
    )
    return Row(cells, tuple(_notes(group)))


def _notes(group: GroupSnapshot) -> Iterator[str]:
    if group.reason is not None:
        yield _sentence(group.reason)
    if group.ahead:
        yield f"{wording.count(group.ahead)} records on the target would be missed"
    if group.state == GroupState.BEHIND:
        yield from sorted({each.why for each in group.partitions if each.why})


def _in_full(group: GroupSnapshot) -> Iterator[str]:
    yield f"{group.name}: {group.state}"
    kind = f"{group.kind} group, " if group.kind else ""
    ours, theirs = (state or "absent" for state in (group.source_state, group.target_state))
    yield from indented(f"{kind}{ours} on the source, {theirs} on the target")
    if group.reason is not None:
        yield from indented(_sentence(group.reason))
    if group.partitions:
        titles = ("topic", "part", "source", "translated", "target", "re-read", "lost")
        yield from table(titles, [_partition_row(each) for each in group.partitions])


def _partition_row(each: GroupPartitionSnapshot) -> Row:
    cells = (
        each.topic,
        str(each.partition),
        _offset(each.source_offset),
        _offset(each.translated),
        _offset(each.target_offset),
        wording.count(each.again),
        wording.count(each.lost),
    )
    notes = [each.why] if each.why else []
    if each.ahead:
        notes.append(f"{wording.count(each.ahead)} records on the target would be missed")
    return Row(cells, tuple(notes))


def _sentence(reason: Reason) -> str:
    return f"{reason.text}. {reason.next_step}" if reason.next_step else reason.text


def _offset(offset: int | None) -> str:
    return wording.UNKNOWN if offset is None else str(offset)
