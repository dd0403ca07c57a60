"""Copying through the terminal, exporting to files."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import signal
import stat
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ccr_tui.carrying import clipboard, command
from ccr_tui.carrying.rows import as_csv, as_json
from ccr_tui.cli.crash import describe
from ccr_tui.screens.cluster_form.screen import ClusterFormScreen
from ccr_tui.screens.dialogs.path import PathDialog
from ccr_tui.screens.dialogs.text import TextDialog
from ccr_tui.settings.loader import Settings
from ccr_tui.settings.model import ConsoleSettings
from ccr_tui.widgets.form.controls import ChoiceControl
from ccr_tui.widgets.table.view import LineTable
from engine.api.snapshots import PartitionSnapshot
from engine.audit.audited import audited
from engine.audit.file import AuditFile
from engine.errors import CcrError
from tests.tui.driving import (
    console,
    open_lag,
    settle,
    type_ahead,
    until,
    until_shown,
    until_told,
)
from tests.tui.scripted import STOPPED, small_engine
from tests.tui.test_cluster_form import PASSWORD, fill_in
from tests.tui.test_giving_secrets import PASSWORD as LACKING
from tests.tui.test_looks import SCENES, going_to
from tests.tui.tmux import Tmux

PLANTED = "correct-horse-battery"


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


@pytest.mark.parametrize("place", ["lag", "groups", "cluster", "log"])
async def test_ctrl_s_exports_as_x_does(place: str) -> None:
    async with console(small_engine()) as (app, pilot):
        app.go(place, SCENES[place][0])
        await until_shown(app, SCENES[place][1])
        await pilot.press("ctrl+s")
        await until_shown(app, "Export ")
        await pilot.press("escape", "slash", "ctrl+s")
        await settle(pilot)
        assert not isinstance(app.screen, PathDialog), "what is typed is not interrupted"


async def test_in_a_form_ctrl_s_saves_wherever_the_focus_is() -> None:
    async with console(small_engine()) as (app, pilot):
        await going_to("flow_editor")(pilot)
        form = app.screen
        for focused in (*form.query(LineTable), *form.query(ChoiceControl), None):
            form.set_focus(focused)
            await settle(pilot)
            await pilot.press("ctrl+s")
            await until_told(app, "Nothing was changed, so there is nothing to save.")
            app.clear_notifications()
            assert app.screen is form
        form.query_one(LineTable).focus()
        await settle(pilot)
        await pilot.press("x")
        await until_shown(app, "Export 6 rows")


@dataclass(frozen=True)
class Program:
    """A clipboard's program that writes down what it is given."""

    folder: Path
    script: str

    @property
    def settings(self) -> Settings:
        path = self.folder / "copy program"
        path.write_text(f"#!/bin/sh\n{self.script}\n", encoding="utf-8")
        path.chmod(0o700)
        command = f"command '{path}' '{self.folder}/got'"
        return Settings(ConsoleSettings(clipboard=command, export_dir=str(self.folder)))


async def test_a_command_gets_what_is_copied_whole(tmp_path: Path, sent: list[str]) -> None:
    program = Program(tmp_path, 'cat > "$1"')
    async with console(small_engine(), settings=program.settings) as (app, _):
        app.carrier.copy("é\n" * 100_000)  # more than a terminal takes
        await until_told(app, "copy program: é…")
        assert (tmp_path / "got").read_text(encoding="utf-8") == "é\n" * 100_000
    assert sent == []


async def test_a_command_that_goes_on_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    """As wl-copy does, with its output open."""
    program = Program(tmp_path, 'cat > "$1"; sleep 20 & echo $! > "$1.pid"')
    async with console(small_engine(), settings=program.settings) as (app, pilot):
        before = time.monotonic()
        await pilot.press("c")
        await until_told(app, "copy program: primary-to-dr")
        assert time.monotonic() - before < 15
    os.kill(int((tmp_path / "got.pid").read_text()), signal.SIGTERM)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("cat > /dev/null; echo no display >&2; exit 3", "it ended with exit code 3: no display"),
        ("exec 0<&-; exit 1", "it ended with exit code 1"),
        ("cat > /dev/null; exec sleep 30", "it did not end within 0.3 s, and was killed"),
    ],
)
async def test_a_command_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    monkeypatch.setattr("ccr_tui.carrying.command.PATIENCE", 0.3 if "0.3" in said else 10.0)
    async with console(small_engine(), settings=Program(tmp_path, script).settings) as (app, pilot):
        await pilot.press("c")
        await until_shown(app, "Copying: failed")
        assert isinstance(app.screen, TextDialog)
        text = str(app.screen.facts)
        assert said in text, text
        assert "Set `clipboard` in the console's settings" in text


def test_a_command_that_is_not_there_is_told() -> None:
    with pytest.raises(CcrError, match="No such file or directory"):
        command.feed(["/nowhere/wl-copy"], "text")


def failing(secret: str) -> None:
    raise ZeroDivisionError(len(secret))


async def test_no_secret_leaves_by_any_way(
    tmp_path: Path, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exports, copies, audit log, crash report, after secrets were typed into dialog and form."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    engine = small_engine()
    engine.set_cluster("primary", reachable=False, secrets=(LACKING,))
    monkeypatch.setattr(engine, "connect", None, raising=False)  # no part of the console
    api = audited(engine, AuditFile(tmp_path / "audit.jsonl"), lambda act: None)
    async with console(engine, (80, 40)) as (app, pilot):
        app.carrier.folder = tmp_path
        app.bridge.api = api
        await pilot.press("K")
        await until_shown(app, "Give sasl.password of primary")
        await type_ahead(pilot, *PLANTED, "enter")
        await until(engine.commands)
        app.go("cluster_form", "")
        await until(lambda: isinstance(app.screen, ClusterFormScreen) and app.screen.focused)
        await fill_in(pilot)
        form = app.screen
        assert isinstance(form, ClusterFormScreen)
        await pilot.press("f2")
        await until_shown(app, "Save cluster eu?")
        await pilot.press("tab", "enter")
        await until(lambda: engine.config.stored)
        for place in [name for name in SCENES if name != "cluster_form"]:
            app.go(place, SCENES[place][0])
            await until_shown(app, SCENES[place][1])
            await until(lambda: app.top is not None and app.top.is_mounted)
            await settle(pilot)
            app.carrier.do_copy()
            app.carrier.do_copy_row()
            table = app.top.table_in_sight if app.top is not None else None
            if table is not None and table.book.rows:
                for encode in (as_json, as_csv):
                    (tmp_path / f"{place}-{encode.__name__}").write_text(encode(table.exported()))
        await until(lambda: len(sent) > len(SCENES))
        with pytest.raises(ZeroDivisionError) as fault:
            failing(PLANTED)
        describe(fault.value, [f"done last: {', '.join(app.trail)}"])
    assert engine.config.stored[0][1].get_secret_value() == PASSWORD
    (tmp_path / "copied").write_text("\n".join(copied(each) for each in sent))
    written = [path for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240
    names = {path.name for path in written}
    assert {"audit.jsonl", "crash.log", "copied", "clusters-as_json", "lag-as_csv"} <= names
    assert "give_secret" in (tmp_path / "audit.jsonl").read_text()
    for path in written:
        text = path.read_text()
        assert PLANTED not in text, path
        assert PASSWORD not in text, path


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


@pytest.mark.parametrize("key", ["x", "C-s"])
def test_a_file_has_the_rows_of_the_screen(tmp_path: Path, key: str) -> None:
    command = [sys.executable, "-m", "tests.tui.scripted", "--changes", "0"]
    with Tmux(command, size=(160, 24)) as terminal:
        terminal.wait_for("primary-to-dr")
        terminal.send_keys("2")
        terminal.wait_for("of 3 topics")
        terminal.send_keys("v")
        terminal.wait_for("of 6 partitions")
        terminal.send_keys("/")
        terminal.type("orders")
        terminal.send_keys("Enter")
        screen = terminal.wait_for("of 4 in 6 /orders")
        terminal.send_keys(key)
        terminal.wait_for("Export 4 rows")
        proposed = "-primary-to-dr-partitions-"
        terminal.wait_for(proposed)
        terminal.send_keys("C-u")
        terminal.wait_gone(proposed)
        terminal.type(str(tmp_path / "rows.csv"))
        terminal.wait_for("rows.csv")
        terminal.send_keys("Enter")
        terminal.wait_for("4 rows written to")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "rows.csv").read_text())))
    lines = [line.strip("▸ ").split() for line in screen.splitlines()]
    shown = [
        (line[0], line[1])
        for line in lines
        if len(line) > 2 and line[0].startswith("orders.") and line[1].isdigit()
    ]
    assert [(row["topic"], row["partition"]) for row in rows] == shown
    assert len(shown) == 4


def test_a_real_terminal_takes_what_is_copied() -> None:
    command = [sys.executable, "-m", "tests.tui.scripted"]
    with Tmux(command) as terminal:
        terminal.set_option("set-clipboard", "on")
        terminal.wait_for("primary-to-dr")
        terminal.send_keys("c")
        terminal.wait_for("Sent to the terminal")
        assert terminal.buffer() == "primary-to-dr"
