"""Every place in little room, and when the terminal is given another size while it is shown."""

from __future__ import annotations

import pytest

from ccr_tui.widgets.table.view import LineTable
from tests.tui.driving import console, screen_lines, screen_text, settle, until_shown
from tests.tui.scripted import small_engine
from tests.tui.test_looks import SCENES, going_to, time_stands_still  # noqa: F401 (a fixture)

LARGE, SMALL, USUAL = (120, 40), (60, 20), (80, 24)
FORMS = {"flow_editor", "cluster_form"}
KEY_FACTS: dict[str, tuple[str, ...]] = {
    "overview": ("primary-to-dr      ● running     ■1    1,204", "1,204 records, 0.8s behind"),
    "lag": ("orders.eu          ■ 1 stopped", "RECORD_TOO_LARGE", "then retry the partition (r)."),
    "groups": ("billing                behind                 500", "dashboards", "Why"),
    "loss": ("If primary vanished now: 3,209 records", "orders.eu                   3,204"),
    "clusters": ("● reached", "dr:9092", "T Test"),
    "cluster": ("■ away    kafka-3.example:9093", "connection refused", "4 under-replicated"),
    "flow_editor": ("3 of 6 topics taken", "orders.us.tmp", "F2 Save"),
    "events": ("warning  broker 2 does not answer", "It is tried again by itself."),
    "log": ("newest first: 7 records", "error", "1,204 behind"),
    "runbook": ("[run]", "No run of this flow is on record", "b Begin"),
    "cluster_form": ("name *", "bootstrap servers *", "It cannot be changed later.", "F2 Save"),
}
"""By place: what must be there to read at 60x20."""


def missing(text: str, facts: tuple[str, ...]) -> list[str]:
    """Return what is not on the screen, however it is broken into lines."""
    said = " ".join(text.split())
    return [fact for fact in facts if " ".join(fact.split()) not in said]


@pytest.mark.parametrize("place", SCENES)
async def test_a_place_is_readable_at_60x20_and_while_the_size_changes(place: str) -> None:
    async with console(small_engine(), LARGE) as (app, pilot):
        await going_to(place)(pilot)
        before = screen_text(app)

        await pilot.resize_terminal(*SMALL)
        await settle(pilot)
        lines = screen_lines(app)
        assert [len(line) for line in lines] == [60] * 20
        assert missing("\n".join(lines), KEY_FACTS[place]) == [], "\n".join(lines)
        assert "RW" in lines[0]
        assert "data 0s old" in lines[0]
        leaving = "q Quit" if place == "overview" else "Esc Back"
        assert leaving in lines[-1]
        assert place in FORMS or "? Help" in lines[-1]
        tables = [each for each in app.screen.query(LineTable) if each.book.rows and each.region]
        assert all(each.size.height >= min(3, len(each.book.rows)) for each in tables)

        await pilot.resize_terminal(*USUAL)
        await until_shown(app, SCENES[place][1])
        assert [len(line) for line in screen_lines(app)] == [80] * 24
        assert leaving in screen_lines(app)[-1]

        await pilot.resize_terminal(*LARGE)
        await settle(pilot)
        assert screen_text(app) == before
