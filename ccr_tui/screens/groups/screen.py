"""Where consumer groups stand on both sides: what they would read again, miss or lose now."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from ccr_tui import formats
from ccr_tui.actions import FLOW, GLOBAL, TABLE
from ccr_tui.catalog import REGISTRY
from ccr_tui.filtering import Words
from ccr_tui.screens.groups.columns import (
    TONES,
    concern,
    group_columns,
    partition_columns,
    why,
)
from ccr_tui.screens.groups.place import SCOPE
from ccr_tui.screens.listing import ListingScreen, sentences
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.columns import Tone
from ccr_tui.widgets.table.filtered import FilteredTable
from ccr_tui.widgets.table.view import LineTable
from engine.api.group_snapshots import (
    GroupPartitionSnapshot,
    GroupSnapshot,
    GroupsPage,
    GroupState,
)


class GroupsScreen(ListingScreen[GroupsPage]):
    """Groups, worst first; a group's partitions with every offset."""

    SCOPES = (SCOPE, FLOW, TABLE, GLOBAL)
    BINDINGS = REGISTRY.bindings(SCOPE, FLOW)

    async def ask(self) -> GroupsPage:
        """Ask where the groups stand."""
        return await self.console.bridge.api.flows.groups(self.flow_name)

    def tables(self, symbols: Symbols) -> tuple[FilteredTable[Any], FilteredTable[Any]]:
        """Make the table of groups and that of partitions."""
        groups: LineTable[GroupSnapshot] = LineTable(
            group_columns(),
            key=lambda row: row.name,
            tie=lambda row: (-(row.again or 0), row.name),
            order=Order("state", descending=True),
            symbols=symbols,
            rests_on_top=True,
            id="groups",
        )
        partitions: LineTable[GroupPartitionSnapshot] = LineTable(
            partition_columns(),
            key=lambda row: (row.topic, row.partition),
            tie=lambda row: (row.topic, row.partition),
            order=Order("again", descending=True),
            symbols=symbols,
            rests_on_top=True,
            id="group-partitions",
        )
        of_groups: Words[GroupSnapshot] = Words(
            lambda row: row.name, lambda row: (row.state.value, row.kind)
        )
        of_partitions: Words[GroupPartitionSnapshot] = Words(
            lambda row: f"{row.topic}/{row.partition}", lambda row: ()
        )
        return (
            FilteredTable(groups, of_groups, "group"),
            FilteredTable(partitions, of_partitions, "partition"),
        )

    def fill(self, answer: GroupsPage) -> None:
        """Put groups and the open group's partitions into the tables."""
        self.outer.replace(answer.groups)
        found = next((each for each in answer.groups if each.name == self.opened), None)
        self.inner.replace(found.partitions if found else ())

    def headline(self) -> str:
        """Name the flow, and the group that is open."""
        if self.opened is None:
            return self.crumb
        return f"{self.crumb} {self.console.symbols.crumb} {formats.one_line(self.opened)}"

    def told(self, answer: GroupsPage) -> list[Fact]:
        """Count the groups by state; say why the last look failed, or that nothing is committed."""
        facts: list[Fact] = []
        counts = Counter(group.state for group in answer.groups)
        if counts:
            said = [
                (f"{counts[state]:,} {state.value}  ", TONES[state])
                for state in GroupState
                if counts[state]
            ]
            facts.append([("Groups ", Tone.DIM), *said, self._looked(answer)])
        if answer.reason is not None:
            facts += sentences([answer.reason.text, answer.reason.next_step], Tone.BAD)
        if not answer.commits:
            idle = "Nothing is committed on the target: sync.groups is off, or it is only watched."
            facts += sentences([idle], Tone.WARN)
        return facts

    def _looked(self, answer: GroupsPage) -> tuple[str, Tone]:
        old = self.console.state.observed_ago(answer.looked_at, time.monotonic())
        tone = Tone.DIM if answer.reason is None else Tone.WARN
        return (f"as of {formats.age(old)} ago", tone) if old is not None else ("", tone)

    def described(self, row: Any) -> tuple[str, list[Fact]]:
        """Describe a group or one of its partitions."""
        if isinstance(row, GroupPartitionSnapshot):
            return _partition(row)
        return _group(row)

    def nothing(self, answer: GroupsPage | None) -> str:
        """Say that there are none, or that they were not looked at."""
        if answer is None:
            return "Waiting for the engine to look at the groups."
        if self.opened is not None:
            name = formats.one_line(self.opened)
            return f"{name} has no offsets that could be translated. Esc goes back to the groups."
        if not answer.looked_at:
            return "The groups were not looked at yet."
        return "No group has committed offsets for the topics of this flow."


def _group(row: GroupSnapshot) -> tuple[str, list[Fact]]:
    kind = f"{row.kind} group, " if row.kind else ""
    source, target = row.source_state or "absent", row.target_state or "absent"
    sides = f"{kind}{source} on the source, {target} on the target"
    facts: list[Fact] = [
        [
            ("State  ", Tone.DIM),
            (row.state.value, TONES[row.state]),
            (f"  {sides}", Tone.PLAIN),
        ],
        [("Now    ", Tone.DIM), *_moved(row.again, row.ahead, row.lost)],
    ]
    if row.reason is not None:
        facts.append([("Why    ", Tone.DIM), (formats.one_line(row.reason.text), Tone.PLAIN)])
        if row.reason.next_step:
            facts.append(
                [("Next   ", Tone.DIM), (formats.one_line(row.reason.next_step), Tone.STRONG)]
            )
    elif concern(row):
        facts.append([("Why    ", Tone.DIM), (why(row), Tone.PLAIN)])
    return formats.one_line(row.name), facts


def _partition(row: GroupPartitionSnapshot) -> tuple[str, list[Fact]]:
    facts: list[Fact] = [
        [
            ("Offset ", Tone.DIM),
            (f"{formats.offset(row.source_offset)} on the source", Tone.PLAIN),
            (f"  is {formats.offset(row.translated)} on the target", Tone.STRONG),
            (f"  committed there {formats.offset(row.target_offset)}", Tone.PLAIN),
        ],
        [("Now    ", Tone.DIM), *_moved(row.again, row.ahead, row.lost)],
    ]
    if row.why:
        facts.append([("Why    ", Tone.DIM), (formats.one_line(row.why), Tone.PLAIN)])
    if row.metadata:
        facts.append([("Commit ", Tone.DIM), (formats.one_line(row.metadata), Tone.PLAIN)])
    return f"{formats.one_line(row.topic)}/{row.partition}", facts


def _moved(again: int | None, ahead: int, lost: int | None) -> list[tuple[str, Tone]]:
    """Say what its clients would meet on the target now."""
    if (again, ahead, lost) == (0, 0, 0):
        return [("could move to the target: nothing read again, missed or lost", Tone.GOOD)]
    said = [
        ("what it would read again is not known", Tone.WARN)
        if again is None
        else (f"would read {again:,} records again", Tone.WARN if again else Tone.PLAIN),
        (", what it would lose is not known", Tone.WARN)
        if lost is None
        else (f", {lost:,} unread ones are not there", Tone.BAD if lost else Tone.PLAIN),
    ]
    if ahead:
        said.append((f", and miss {ahead:,} that are", Tone.BAD))
    return said
