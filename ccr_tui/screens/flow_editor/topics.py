"""The topics of the source as the editor shows them: taken or not, by which rule, and what then."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.api.preview_snapshots import (
    Decision,
    PreviewSnapshot,
    Rule,
    SelectionSnapshot,
    TopicPlan,
    TopicSize,
)

_AT_ONCE = 1000
"""Rows that are made between two turns of the event loop: about two milliseconds."""
_ORDER = {Rule.EXCLUDE: 3, Rule.NO_MATCH: 4}


class Change(StrEnum):
    """What saving does to a topic, against what the flow mirrors now."""

    NONE = ""
    STARTS = "+ starts"
    ENDS = "- ends"


@dataclass(frozen=True, slots=True)
class TopicRow:
    """One topic."""

    place: int  # in the order of the table
    topic: str
    partitions: int
    decision: Decision
    mirror: str
    change: Change
    size: TopicSize | None = None
    plan: TopicPlan | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What the last preview said, by topic."""

    sizes: Mapping[str, TopicSize]
    plans: Mapping[str, TopicPlan]


NOTHING_LOOKED = Looked({}, {})


def looked(preview: PreviewSnapshot) -> Looked:
    """Take out of a preview what is shown with each topic."""
    return Looked(
        {each.topic: each.size for each in preview.topics},
        {each.topic: each.plan for each in preview.topics if each.plan is not None},
    )


def taken_of(selection: SelectionSnapshot) -> frozenset[str]:
    """Return the topics that are taken."""
    takes = [decision.taken for decision in selection.decisions]
    return frozenset(name for name, _, index in selection.topics if takes[index])


async def rows_of(
    selection: SelectionSnapshot, now: frozenset[str] | None, found: Looked, source: str
) -> list[TopicRow]:
    """Make the rows, what matters first: what is blocked, what changes, what is taken.

    `now` is what the flow mirrors at present; None: there is no such flow. Gives way to the event
    loop: there may be ten thousand.
    """
    ranked: list[list[tuple[str, int, Decision, Change]]] = [[] for _ in range(6)]
    for begin in range(0, len(selection.topics), _AT_ONCE):
        for name, partitions, index in selection.topics[begin : begin + _AT_ONCE]:
            decision = selection.decisions[index]
            change = _change(decision, now, name)
            rank = _rank(decision, change, found.plans.get(name))
            ranked[rank].append((name, partitions, decision, change))
        await asyncio.sleep(0)
    rows: list[TopicRow] = []
    for each in (one for rank in ranked for one in rank):
        rows.append(_row(len(rows), *each, selection.prefix, source, found))
        if len(rows) % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return rows


def _change(decision: Decision, now: frozenset[str] | None, name: str) -> Change:
    if now is None or decision.taken == (name in now):
        return Change.NONE
    return Change.STARTS if decision.taken else Change.ENDS


def _rank(decision: Decision, change: Change, plan: TopicPlan | None) -> int:
    if decision.taken and plan is not None and plan.blocked:
        return 0
    if change is not Change.NONE:
        return 1
    return 2 if decision.taken else _ORDER.get(decision.rule, 5)


def _row(
    place: int,
    name: str,
    partitions: int,
    decision: Decision,
    change: Change,
    prefix: str,
    source: str,
    found: Looked,
) -> TopicRow:
    mirror = ""
    if decision.taken:
        heartbeats = decision.rule is Rule.HEARTBEATS
        mirror = f"{source}.{name}" if heartbeats else prefix + name
    plan = found.plans.get(name) if decision.taken else None
    return TopicRow(place, name, partitions, decision, mirror, change, found.sizes.get(name), plan)
