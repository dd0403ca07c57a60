"""100 groups of 100 partitions: only what changed is drawn, and keys are answered meanwhile."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from ccr_tui.app import CcrApp
from ccr_tui.screens.groups.screen import GroupsScreen
from ccr_tui.widgets.table import view
from ccr_tui.widgets.table.view import LineTable
from engine.api.group_snapshots import (
    GroupPartitionSnapshot,
    GroupSnapshot,
    GroupsPage,
    GroupState,
)
from tests.tui.driving import console, screen_lines, settle, until, until_shown
from tests.tui.scripted import ScriptedEngine, small_engine
from tests.tui.test_looks import FLOW

GROUPS, PARTITIONS = 100, 100


def partition(number: int, again: int = 0) -> GroupPartitionSnapshot:
    return GroupPartitionSnapshot(
        "orders", number, "orders", 1_000, "", 1_000, 1_000, again, 0, 0, ""
    )


def group(number: int, *, again: int = 0) -> GroupSnapshot:
    """`again` is of its first partition."""
    parts = (partition(0, again), *(partition(each) for each in range(1, PARTITIONS)))
    state = GroupState.BEHIND if again else GroupState.IN_STEP
    return GroupSnapshot(
        f"group-{number:03}", "classic", state, None, "Stable", "Empty", again, 0, 0, parts
    )


class ManyGroups:
    """Answers as the engine does, with what the test changes."""

    def __init__(self) -> None:
        self.groups = [group(number) for number in range(GROUPS)]

    async def __call__(self, flow: str) -> GroupsPage:
        # New objects each time, as they come over the socket.
        return GroupsPage(flow, True, 1.0, 0.2, None, tuple(replace(each) for each in self.groups))


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> ManyGroups:
    answers = ManyGroups()
    monkeypatch.setattr(view, "ORDER_EVERY", 0.0)
    monkeypatch.setattr(view, "HOLD", 0.0)
    return answers


@contextlib.contextmanager
def drawn_lines(monkeypatch: pytest.MonkeyPatch, table: LineTable[Any]) -> Iterator[Counter[int]]:
    """Count how often each line of a table is drawn."""
    counts: Counter[int] = Counter()
    original = table.render_line

    def render_line(y: int) -> Any:
        counts[y] += 1
        return original(y)

    with monkeypatch.context() as patch:
        patch.setattr(table, "render_line", render_line)
        yield counts


def engine_of(many: ManyGroups, monkeypatch: pytest.MonkeyPatch) -> ScriptedEngine:
    engine = small_engine()
    monkeypatch.setattr(engine.flows, "groups", many)
    return engine


async def open_groups(app: CcrApp) -> GroupsScreen:
    app.go("groups", FLOW)
    await until_shown(app, "100 in step")
    assert isinstance(app.screen, GroupsScreen)
    return app.screen


async def answered(screen: GroupsScreen, pilot: Pilot[None]) -> None:
    """Have it ask now, and wait until the answer is on the screen."""
    before = screen.asker.answer
    screen.asker.poke()
    await until(lambda: screen.asker.answer is not before)
    await settle(pilot)


async def test_only_the_group_that_changed_is_drawn(
    many: ManyGroups, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console(engine_of(many, monkeypatch)) as (app, pilot):
        screen = await open_groups(app)
        table = screen.outer.table
        await settle(pilot)
        with drawn_lines(monkeypatch, table) as drawn:
            await answered(screen, pilot)
            assert drawn == {}, "all answers were the same"
        many.groups[3] = replace(many.groups[3], again=7)
        with drawn_lines(monkeypatch, table) as drawn:
            await answered(screen, pilot)
        assert table.book.rows["group-003"].again == 7
        assert table.book.shown[0] == "group-003", "what would be read again comes first"
        assert {0} <= set(drawn) <= {0, 1, 2, 3}, "the lines above which it rose"
        many.groups[90] = replace(many.groups[90], ahead=2)  # out of sight
        with drawn_lines(monkeypatch, table) as drawn:
            await answered(screen, pilot)
        assert table.book.rows["group-090"].ahead == 2
        assert drawn == {}


async def test_of_an_open_group_only_the_partition_that_changed_is_drawn(
    many: ManyGroups, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console(engine_of(many, monkeypatch)) as (app, pilot):
        screen = await open_groups(app)
        await pilot.press("enter")
        await until(lambda: len(screen.inner.table.book.rows) == PARTITIONS)
        table = screen.inner.table
        await settle(pilot)
        with drawn_lines(monkeypatch, table) as drawn:
            parts = list(many.groups[0].partitions)
            parts[2] = replace(parts[2], target_offset=999)
            many.groups[0] = replace(many.groups[0], partitions=tuple(parts))
            await answered(screen, pilot)
        assert table.book.rows["orders", 2].target_offset == 999
        assert set(drawn) == {2}


async def test_keys_are_answered_while_all_groups_change(
    many: ManyGroups, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console(engine_of(many, monkeypatch)) as (app, pilot):
        screen = await open_groups(app)
        table = screen.outer.table
        for step in range(1, 6):
            many.groups = [group(number, again=step) for number in range(GROUPS)]
            await pilot.press("down")
            assert table.cursor_index == step
            await answered(screen, pilot)
        await until_shown(app, "100 behind")
        assert table.current is not None
        assert table.current.again == 5
        assert any(line.startswith("▸group-005") for line in screen_lines(app))
