"""How the welcome looks. After an intended change run this file with `--snapshot-update`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from ccr_tui.resources import sample_configs_dir
from ccr_tui.screens.welcome import choices
from ccr_tui.screens.welcome.app import WelcomeApp
from ccr_tui.symbols import UNICODE
from tests.tui.driving import settle, type_ahead, until_shown
from tests.tui.test_looks import LOOKS, SIZES
from tests.tui.test_snapshots import SnapCompare

SCENES: dict[str, tuple[tuple[str, ...], str]] = {
    "start": ((), "From a shell"),
    "import": (("2",), "File to import"),
    "report": (("2", *"mm2.properties", "enter"), "OUTCOME"),
    "new": (("3",), "security protocol"),
    "wrong": (("3", "f2"), "is missing"),
}
"""By name: the keys that lead there, and what it says when all is there."""


def going_to(scene: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    keys, said = SCENES[scene]

    async def run_before(pilot: Pilot[Any]) -> None:
        await until_shown(pilot.app, "See it at work")
        await type_ahead(pilot, *keys)
        await until_shown(pilot.app, said)
        await settle(pilot)

    return run_before


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("scene", SCENES)
def test_welcome_looks(
    snap_compare: SnapCompare, monkeypatch: pytest.MonkeyPatch, scene: str, look: str, size: str
) -> None:
    monkeypatch.chdir(sample_configs_dir())
    # The same whether the sandbox's packages are there or not.
    monkeypatch.setattr(choices, "NO_SANDBOX", "")
    if look == "nocolor":
        monkeypatch.setenv("NO_COLOR", "1")
    app = WelcomeApp("There is no configuration.", theme=LOOKS[look], symbols=UNICODE)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=going_to(scene))


@pytest.mark.parametrize("scene", SCENES)
async def test_the_welcome_is_readable_at_60x20(
    scene: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sample_configs_dir())
    app = WelcomeApp("There is no configuration.", theme="ccr-dark", symbols=UNICODE)
    async with app.run_test(size=(120, 40)) as pilot:
        await going_to(scene)(pilot)
        for size in ((60, 20), (80, 24)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            await until_shown(app, SCENES[scene][1])
            await until_shown(app, "q Quit" if scene == "start" else "Esc Back")
