"""A terminal that is the same everywhere: UTC, UTF-8, colours. And what was done is on record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ccr_tui.actions import Action, ActionContext
from ccr_tui.app import CcrApp
from ccr_tui.screens.base import CcrScreen
from ccr_tui.widgets.table.view import LineTable
from tests.tui import performed


@pytest.fixture(autouse=True)
def same_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("NO_COLOR", "LC_ALL", "LC_CTYPE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="session", autouse=True)
def what_is_done_is_on_record() -> Iterator[None]:
    """Note every action that a test performs, by its id; not those that were refused."""
    perform, of_table = CcrApp.perform, LineTable.action_act

    def noted(app: CcrApp, action: Action, context: ActionContext, screen: CcrScreen) -> None:
        possible = action.why_disabled(context) is None
        perform(app, action, context, screen)
        if possible:
            performed.IDS.add(action.id)

    def noted_of_table(table: LineTable[Any], action_id: str) -> None:
        of_table(table, action_id)
        performed.IDS.add(action_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CcrApp, "perform", noted)
        patch.setattr(LineTable, "action_act", noted_of_table)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the test of what was performed be the last, and know whether all others ran before it."""
    here = Path(__file__).parent
    last = [item for item in items if item.name == performed.TEST]
    items[:] = [item for item in items if item.name != performed.TEST] + last
    performed.RUN.update(item.path for item in items if item.path.parent == here)
