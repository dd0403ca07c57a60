"""Pictures of the console on a running demo: `make screenshots`, or `python -m tests.tui.pictures`.

It really runs two clusters, traffic, a consumer group and the engine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from textual.pilot import Pilot

from ccr_tui.app import CcrApp
from ccr_tui.screens.asked import TablesScreen
from ccr_tui.screens.everywhere import PLACES
from ccr_tui.screens.runbook.screen import RunbookScreen
from ccr_tui.state import ConsoleMode
from ccr_tui.symbols import UNICODE
from engine.demo.stage import FLOW, SOURCE, Stage
from engine.service.attach import attach_or_spawn
from tests.tui.driving import screen_text, settle, until

SIZE = (110, 32)
FOLDER = Path(__file__).resolve().parents[2] / "docs/images"
FORMS = {"cluster_form"}
"""Places that show nothing before something is typed."""
SUBJECTS = {
    "cluster": SOURCE,
    "cluster_form": "",
    **dict.fromkeys(("overview", "clusters", "events", "log")),
}
"""What a place is about, where that is not the demo's flow."""


@contextlib.asynccontextmanager
async def running_demo() -> AsyncIterator[Stage]:
    """Run the demo's clusters and traffic, and a group that reads the source."""
    stage = Stage()
    try:
        await stage.up(lambda progress: None)
        await stage.start_traffic(rate=300, seed=1)
        yield stage
    finally:
        await stage.down()


async def tour(stage: Stage, seen: Callable[[str, CcrApp], None]) -> None:
    """Go to every place on the demo's engine and call `seen` when it shows what there is."""
    async with attach_or_spawn(stage.config) as engine:
        app = CcrApp(
            engine.api, mode=ConsoleMode.EMBEDDED, config_name=stage.config.name, symbols=UNICODE,
            theme="ccr-dark",
        )  # fmt: skip
        async with app.run_test(size=SIZE) as pilot:
            await until(lambda: _mirrors(app), within=60)
            for place in PLACES:
                await _visit(app, pilot, place.id)
                seen(place.id, app)


def _mirrors(app: CcrApp) -> bool:
    flow = app.state.flow(FLOW)
    return flow is not None and flow.records_total > 3_000 and flow.state == "running"


async def _visit(app: CcrApp, pilot: Pilot[None], place: str) -> None:
    app.go(place, SUBJECTS.get(place, FLOW))
    await until(lambda: (app.top is not None and app.top.place is not None) or place == "overview")
    await settle(pilot)
    screen = app.top
    if isinstance(screen, RunbookScreen):
        screen.do_other_view("1")  # there was no run yet; this is what promotion would do
    if isinstance(screen, TablesScreen):
        await until(lambda: screen.looking.answer is not None, within=60)
    if place not in FORMS:
        await until(lambda: _rows(app), within=60)
    await settle(pilot)
    text = screen_text(app)
    if "Traceback" in text:
        raise AssertionError(text)


def _rows(app: CcrApp) -> int:
    table = app.top.table_in_sight if app.top is not None else None
    return len(table.book.rows) if table is not None else 0


async def take(folder: Path) -> list[Path]:
    """Write a picture of each place."""
    written: list[Path] = []

    def keep(place: str, app: CcrApp) -> None:
        path = folder / f"{place}.svg"
        path.write_text(app.export_screenshot(title="ccr"))
        written.append(path)

    async with running_demo() as stage:
        await tour(stage, keep)
    return written


def main() -> int:
    """Write the pictures of the README and the docs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    for path in asyncio.run(take(parser.parse_args().folder)):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
