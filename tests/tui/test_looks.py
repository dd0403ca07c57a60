"""Every place in every look. After an intended change run this file with `--snapshot-update`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

from ccr_tui.app import CcrApp
from ccr_tui.asking import Asker
from ccr_tui.screens.everywhere import PLACES
from ccr_tui.screens.flow_editor.looking import Looking
from ccr_tui.screens.flow_editor.screen import FlowEditorScreen
from ccr_tui.state import ConsoleState
from ccr_tui.themes import SIXTEEN
from tests.tui.driving import make_app, settle, until, until_shown
from tests.tui.scripted import small_engine
from tests.tui.test_snapshots import SnapCompare

FLOW = "primary-to-dr"
SCENES: dict[str, tuple[str | None, str]] = {
    "overview": (None, "broker 2 does not answer"),
    "lag": (FLOW, "orders.eu"),
    "groups": (FLOW, "dashboards"),
    "loss": (FLOW, "orders.us"),
    "clusters": (None, "All 2 clusters are reached"),
    "cluster": ("dr", "dr"),
    "flow_editor": (FLOW, "taken"),
    "events": (None, "3 events"),
    "log": (None, "7 records"),
    "runbook": (FLOW, "No run of this flow is on record"),
    "cluster_form": ("", "Add a cluster"),
}
"""By place: what it is about, and what it says when all is there."""
SIZES = {"80x24": (80, 24), "120x40": (120, 40)}
LOOKS = {"dark": "ccr-dark", "light": "ccr-light", "16": SIXTEEN, "nocolor": None}


@pytest.fixture(autouse=True)
def time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ages are 0 however slow the machine is."""

    def age(self: ConsoleState | Asker[object], now: float) -> float | None:
        at = self.received_at if isinstance(self, ConsoleState) else self.answered_at
        return None if at is None else 0.0

    monkeypatch.setattr(ConsoleState, "age", age)
    monkeypatch.setattr(Asker, "age", age)
    monkeypatch.setattr(
        Looking, "preview_age", lambda self, now: None if self.previewed_at is None else 0.0
    )


def going_to(place: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Go to a place and wait until it shows what there is."""
    subject, said = SCENES[place]

    async def run_before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, CcrApp)
        await until(lambda: app.state.snapshot is not None and app.state.events)
        await settle(pilot)
        app.go(place, subject)
        await until(lambda: app.way[-1:] != ("",))
        await until_shown(app, said)
        if isinstance(app.screen, FlowEditorScreen):
            looking = app.screen.looking
            await until(lambda: looking.previewed_at is not None and looking.is_current)
        await settle(pilot)

    return run_before


def test_every_place_has_its_pictures() -> None:
    assert set(SCENES) == {place.id for place in PLACES}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("place", SCENES)
def test_looks(
    snap_compare: SnapCompare, monkeypatch: pytest.MonkeyPatch, place: str, look: str, size: str
) -> None:
    if look == "nocolor":
        monkeypatch.setenv("NO_COLOR", "1")
    app = make_app(small_engine(), theme=LOOKS[look])
    assert snap_compare(app, terminal_size=SIZES[size], run_before=going_to(place))
