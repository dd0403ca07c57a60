"""A terminal that is the same everywhere: UTC, UTF-8, colours. And what was done is on record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ccr_tui.actions import Action, ActionContext
from ccr_tui.app import CcrApp
from ccr_tui.screens.base import CcrScreen
from ccr_tui.screens.dialogs.base import Dialog
from ccr_tui.screens.welcome.app import WelcomeApp
from ccr_tui.screens.welcome.base import WelcomeScreen
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
    perform = CcrApp.perform
    others: tuple[Any, ...] = (LineTable, Dialog, WelcomeScreen, WelcomeApp)

    def noted(app: CcrApp, action: Action, context: ActionContext, screen: CcrScreen) -> None:
        possible = action.why_disabled(context) is None
        perform(app, action, context, screen)
        if possible:
            performed.IDS.add(action.id)

    def noting(act: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
        def noted_of(owner: Any, action_id: str) -> None:
            act(owner, action_id)
            performed.IDS.add(action_id)

        return noted_of

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CcrApp, "perform", noted)
        for owner in others:
            patch.setattr(owner, "action_act", noting(owner.action_act))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the test of what was performed be the last, and know whether all others ran before it."""
    here = Path(__file__).parent
    last = [item for item in items if item.name == performed.TEST]
    items[:] = [item for item in items if item.name != performed.TEST] + last
    performed.RUN.update(item.path for item in items if item.path.parent == here)
