"""Copying through the terminal, exporting to files."""

from __future__ import annotations

import base64
import csv
import io
import json
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ccr_tui.carrying import clipboard
from ccr_tui.carrying.rows import as_csv, as_json
from engine.api.snapshots import PartitionSnapshot
from tests.tui.driving import console, open_lag, until, until_shown, until_told
from tests.tui.scripted import STOPPED, small_engine
from tests.tui.tmux import Tmux


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What went to the terminal besides what is drawn."""
    monkeypatch.delenv("TMUX", raising=False)
    found: list[str] = []
    monkeypatch.setattr("ccr_tui.app.CcrApp.to_terminal", lambda app, text: found.append(text))
    return found


def list_of(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def copied(sequence: str) -> str:
    head, _, rest = sequence.partition("52;c;")
    assert head == "\x1b]"
    assert rest.endswith("\x07")
    return base64.b64decode(rest[:-1]).decode()


async def test_the_name_and_the_row_are_copied(sent: list[str]) -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("c")
        await until_told(app, "Sent to the terminal (OSC 52): primary-to-dr")
        assert copied(sent[0]) == "primary-to-dr"
        await pilot.press("y")
        await until(lambda: len(sent) == 2)
        row = json.loads(copied(sent[1]))
        assert (row["name"], row["lag_records"], row["owner"]["host"]) == (
            "primary-to-dr",
            1204,
            "dr-host-1",
        )
        await pilot.press("tab", "c")
        await until(lambda: len(sent) == 3)
        assert "broker 2 does not answer" in copied(sent[2])


def test_in_tmux_it_is_sent_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    plain, wrapped = clipboard.sequences("orders é")
    assert copied(plain) == "orders é"
    assert wrapped == f"\x1bPtmux;\x1b{plain}\x1b\\"


async def test_what_is_too_large_goes_to_a_file(
    sent: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clipboard, "MOST", 20)
    async with console(small_engine()) as (app, pilot):
        app.carrier.folder = tmp_path
        await pilot.press("y")
        await until_told(app, "Too large for the clipboard, so it was written to")
    (written,) = list_of(tmp_path)
    assert json.loads(written.read_text())["name"] == "primary-to-dr"
    assert sent == []


async def test_the_rows_that_are_shown_are_exported(tmp_path: Path) -> None:
    async with console(small_engine()) as (app, pilot):
        app.carrier.folder = tmp_path
        screen = await open_lag(app, pilot)
        await pilot.press("slash", *"orders", "enter", "x")
        await until_shown(app, "Export 4 rows")
        await pilot.press("enter")
        await until_told(app, "4 rows written to")
        shown = [*screen.table.book.shown]
        await pilot.press("x")
        await until_shown(app, "Export 4 rows")
        field = app.screen.query_one("#path")
        field.value = str(tmp_path / "rows.txt")  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until_shown(app, "The name must end in .csv or .json.")
        field.value = str(tmp_path / "rows.json")  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until((tmp_path / "rows.json").exists)
    (sheet,) = [path for path in list_of(tmp_path) if path.suffix == ".csv"]
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert sheet.name.startswith("Lag-primary-to-dr-")
    rows = list(csv.DictReader(io.StringIO(sheet.read_text())))
    assert [(row["topic"], int(row["partition"])) for row in rows] == shown
    assert {row["reason.text"] for row in rows} == {"", STOPPED.text}
    assert [row["lag_records"] for row in rows if row["state"] == "stopped"] == ["2000"]
    told = json.loads((tmp_path / "rows.json").read_text())
    assert [(row["topic"], row["partition"]) for row in told] == shown
    assert told[0]["reason"]["next_step"] == STOPPED.next_step


async def test_nothing_is_written_over(tmp_path: Path) -> None:
    there = tmp_path / "mine.csv"
    there.write_text("precious")
    async with console(small_engine()) as (app, pilot):
        await pilot.press("x")
        await until_shown(app, "Export 2 rows")
        app.screen.query_one("#path").value = str(there)  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until_shown(app, "it is there already")
    assert there.read_text() == "precious"


@dataclass(frozen=True)
class Formula:
    text: str
    number: float


def test_no_cell_is_a_formula() -> None:
    rows = [Formula("=HYPERLINK(1)", -1.5), Formula("orders", 2.0)]
    found = list(csv.reader(io.StringIO(as_csv(rows))))
    assert found == [["text", "number"], ["'=HYPERLINK(1)", "-1.5"], ["orders", "2.0"]]
    assert json.loads(as_json(rows))[0]["text"] == "=HYPERLINK(1)"


def test_every_field_of_a_partition_is_exported() -> None:
    row = small_engine().partitions["orders.eu", 1]
    assert isinstance(row, PartitionSnapshot)
    assert set(json.loads(as_json(row))) == set(PartitionSnapshot.__dataclass_fields__)


def test_a_real_terminal_takes_what_is_copied() -> None:
    command = [sys.executable, "-m", "tests.tui.scripted"]
    with Tmux(command) as terminal:
        terminal.set_option("set-clipboard", "on")
        terminal.wait_for("primary-to-dr")
        terminal.send_keys("c")
        terminal.wait_for("Sent to the terminal")
        assert terminal.buffer() == "primary-to-dr"
