"""Every screen on a real engine; the README's pictures are of places that there are."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from ccr_tui.app import CcrApp
from ccr_tui.screens.everywhere import PLACES
from tests.tui.driving import screen_text
from tests.tui.pictures import FOLDER, running_demo, tour

SAYS = {
    "overview": ("east-to-west", "running", "Events, newest first"),
    "lag": ("demo.clicks", "demo.readings"),
    "groups": ("demo-readers", "on the source"),
    "loss": ("If east vanished now",),
    "clusters": ("east", "west", "reached", "development"),
    "cluster": ("127.0.0.1", "controller"),
    "runbook": ("[promote]", "Fence producers on east", "no way back", "b begins it"),
    "flow_editor": ("east-to-west", "demo.clicks"),
    "events": ("mirroring", "claimed as generation"),
    "log": ("newest first", "claimed as generation"),
    "cluster_form": ("Add a cluster", "Test connection"),
}


@pytest.mark.kafka
async def test_every_place_shows_what_there_is() -> None:
    seen: dict[str, str] = {}

    def look(place: str, app: CcrApp) -> None:
        seen[place] = " ".join(screen_text(app).split())

    async with running_demo() as stage:
        await tour(stage, look)
    assert list(seen) == [place.id for place in PLACES]
    for place, text in seen.items():
        for word in SAYS[place]:
            assert word in text, (place, text)


def test_the_pictures_are_of_places_that_there_are() -> None:
    """They are taken by `make screenshots`."""
    places = {place.id for place in PLACES}
    assert {path.stem for path in FOLDER.glob("*.svg")} == places
    pages = [Path("README.md"), *Path("docs").glob("*.md")]
    shown = set()
    for page in pages:
        shown |= set(re.findall(r"images/([a-z_]+)\.svg", page.read_text()))
    assert shown
    assert shown <= places
    for path in FOLDER.glob("*.svg"):
        text = html.unescape(re.sub(r"<[^>]+>", " ", path.read_text())).replace("\xa0", " ")
        assert "demo.yaml" in text, path
