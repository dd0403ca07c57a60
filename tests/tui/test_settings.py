"""The user's settings: taken where they can be, named with line and key where they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.containers import VerticalScroll

from ccr_tui.cli.main import main
from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.help.screen import HelpScreen
from ccr_tui.screens.overview.screen import OverviewScreen
from ccr_tui.screens.welcome.app import WelcomeApp
from ccr_tui.screens.welcome.start import StartScreen
from ccr_tui.settings.keys import textual_key
from ccr_tui.settings.loader import Settings, load_settings
from ccr_tui.settings.model import AUTO, OFF, ConsoleSettings
from ccr_tui.symbols import UNICODE
from tests.tui.driving import console, open_lag, screen_text, settle, until, until_shown, until_told
from tests.tui.scripted import small_engine


def load(folder: Path, text: str) -> Settings:
    path = folder / "console.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def told(settings: Settings) -> list[str]:
    return [f"{problem.line}: {problem.key}: {problem.text}" for problem in settings.problems]


def test_all_settings_are_read(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "theme: ccr-light\nmouse: false\nclipboard: 'off'\nbreadcrumbs: false\n"
        "export_dir: ~/out\nread_only: true\n"
        "keys:\n  refresh: [u, ctrl+u]\n",
    )
    assert settings.problems == ()
    assert settings.values == ConsoleSettings(
        theme="ccr-light",
        mouse=False,
        clipboard=OFF,
        breadcrumbs=False,
        export_dir="~/out",
        read_only=True,
        keys={"refresh": ["u", "ctrl+u"]},
    )
    assert settings.keys == {"refresh": ("u", "ctrl+u")}


@pytest.mark.parametrize("text", ["", "# nothing yet\n\n"])
def test_an_empty_file_sets_nothing(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == Settings()


def test_without_a_file_nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CCR_CONSOLE_SETTINGS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load_settings() == Settings()
    (tmp_path / "ccr").mkdir()
    (tmp_path / "ccr/console.yaml").write_text("theme: x\n", encoding="utf-8")
    assert load_settings().values.theme == "x"
    monkeypatch.setenv("CCR_CONSOLE_SETTINGS", str(tmp_path / "nowhere.yaml"))
    assert [problem.text for problem in load_settings().problems] == ["there is no such file"]


def test_what_is_wrong_is_left_out_and_named(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "theem: a\nmouse: 7\nclipboard: wayland\ntheme: ccr-light\nkeys:\n  refresh: u\n"
        "  quit: [X]\n  quit: [Z]\n",
    )
    assert told(settings) == [
        "1: theem: is not a known setting; did you mean 'theme'?",
        "2: mouse: must be true or false",
        "3: clipboard: must be auto, off, or command with a program: command wl-copy",
        "6: keys.refresh: must be a list: [a, b], or lines that begin with -",
        "8: keys.quit: is there twice, first on line 7",
    ]
    assert settings.values.theme == "ccr-light"
    assert (settings.values.mouse, settings.values.clipboard) == (True, AUTO)
    assert settings.keys == {}


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("command wl-copy", ("wl-copy",)),
        ("command tmux load-buffer -", ("tmux", "load-buffer", "-")),
        ("command '/opt/my copy' 'a b'", ("/opt/my copy", "a b")),
        ("auto", ()),
        ("command", None),
        ("command  ", None),
        ("command 'open", None),
        ("wl-copy", None),
    ],
)
def test_a_command_gets_what_is_copied(
    tmp_path: Path, text: str, command: tuple[str, ...] | None
) -> None:
    quoted = text.replace("'", "''")
    settings = load(tmp_path, f"clipboard: '{quoted}'\n")
    if command is None:
        assert [problem.key for problem in settings.problems] == ["clipboard"]
        assert settings.values.clipboard == AUTO
    else:
        assert settings.problems == ()
        assert settings.values.clipboard_command == command


@pytest.mark.parametrize("text", ["keys: [", "- a\n", "theme: \x01\n", "keys: 3\n"])
def test_what_is_no_settings_file_sets_nothing(tmp_path: Path, text: str) -> None:
    settings = load(tmp_path, text)
    assert settings.values == ConsoleSettings()
    assert len(settings.problems) == 1


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("flow.puase: [z]", "flow.puase': is no action of the console; did you mean 'flow.pause'?"),
        ("refresh: [p]", "refresh: wants p, which is flow."),
        ("refresh: [u, qq]", "refresh[1]: is no key; keys are written like x"),
        ("refresh: []", "refresh: needs at least one key"),
        ("interrupt: [u]", "interrupt[0]: would be typed as text"),
        ("refresh: [j]", "refresh: wants j, which is table.down"),
        ("dialog.again: [j]", "dialog.again': wants j, which is dialog.down"),
        ("dialog.close: [ctrl+c]", "dialog.close': wants ^c, which is interrupt"),
        ("dialog.close: [w]", "dialog.close'[0]: would be typed as text"),
        ("welcome.next: [escape]", "welcome.next': wants Esc, which is welcome.back"),
        ("welcome.1: [q]", "welcome.1': wants q, which is welcome.quit"),
        ("report.sort: [g]", "report.sort': wants g, which is table.top"),
        ("report.sort: [ctrl+q]", "report.sort': wants ^q, which is welcome.leave"),
    ],
)
def test_keys_that_cannot_be_had_stay_as_they_are(tmp_path: Path, keys: str, problem: str) -> None:
    settings = load(tmp_path, f"theme: a\nkeys:\n  {keys}\n")
    assert settings.keys == {}
    assert [each.line for each in settings.problems] == [3]
    assert problem in f"{settings.problems[0].key}: {settings.problems[0].text}".replace(
        "keys.", "", 1
    )


@pytest.mark.parametrize(
    ("keys", "taken"),
    [
        ("copy: [y]\n  copy.row: [c]", {"copy", "copy.row"}),  # exchanged
        ("copy: [u]\n  export: [u]", {"copy"}),  # the first has it
        ("flow.pause: [z]\n  flow.resume: [z]", {"flow.pause", "flow.resume"}),  # one at a time
        ("flow.pause: [z]\n  refresh: [p]", {"flow.pause"}),  # flow.resume has p still
        ("loss.sort: [u]\n  groups.sort: [u]", {"loss.sort", "groups.sort"}),  # two screens
        ("dialog.again: [p]\n  welcome.down: [v]", {"dialog.again", "welcome.down"}),
        ("dialog.close: [f9, w]\n  report.view: [f9]", {"dialog.close", "report.view"}),
    ],
)
def test_clashes_are_told_of_what_is_in_force(tmp_path: Path, keys: str, taken: set[str]) -> None:
    settings = load(tmp_path, f"keys:\n  {keys}\n")
    assert set(settings.keys) == taken
    assert len(settings.problems) == len(keys.splitlines()) - len(taken)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("/", "slash"),
        ("slash", "slash"),
        (",", "comma"),
        ("X", "X"),
        ("ctrl+x", "ctrl+x"),
        ("alt+/", "alt+slash"),
        ("+", "plus"),
        ("f5", "f5"),
        ("pageup", "pageup"),
        ("ctrl+", None),
        ("F5", None),
        ("xx", None),
        ("", None),
    ],
)
def test_keys_are_written_as_signs_or_by_name(text: str, key: str | None) -> None:
    assert textual_key(text) == key


async def test_the_keys_that_are_set_are_the_keys() -> None:
    keys = {"flow.pause": ("z",), "help": ("H",), "table.down": ("d",), "go.loss": ("comma",)}
    engine = small_engine()
    async with console(engine, settings=Settings(keys=keys)) as (app, pilot):
        await until_shown(app, "z Pause")
        await until_shown(app, "H Help")
        await pilot.press("p", "question_mark")
        await settle(pilot)
        assert isinstance(app.screen, OverviewScreen)
        assert engine.commands() == []
        await pilot.press("z")
        await until(lambda: engine.commands() == [("pause", "primary-to-dr")])
        await pilot.press("H")
        await until(lambda: isinstance(app.screen, HelpScreen))
        assert isinstance(app.screen, HelpScreen)
        rows = {row[0][0].strip(): row[1][0] for row in app.screen.facts if len(row) > 1}
        assert rows[","] == "Go to: Loss"
        assert rows["d"] == "Down"
        await pilot.press("escape")
        await pilot.press("comma")
        await until(lambda: app.way[-1].startswith("Loss"))
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, OverviewScreen))
        screen = await open_lag(app, pilot)
        row = screen.table.cursor_index
        await pilot.press("j")
        await settle(pilot)
        assert screen.table.cursor_index == row
        await pilot.press("d")
        await until(lambda: screen.table.cursor_index == row + 1)
    async with console(small_engine()) as (app, pilot):
        assert "p Pause" in screen_text(app), "the next console has its own keys again"


async def test_the_keys_of_dialogs_can_be_others() -> None:
    keys = {
        "dialog.close": ("f9", "w"),
        "dialog.right": ("r",),
        "dialog.down": ("d",),
        "places": ("n",),
    }
    engine = small_engine()
    async with console(engine, (80, 24), settings=Settings(keys=keys)) as (app, pilot):
        await pilot.press("question_mark")
        await until_shown(app, "Up and Down scroll, f9 closes")
        await pilot.press("d")
        text = app.screen.query_one(VerticalScroll)
        await until(lambda: text.scroll_y == 1)
        await pilot.press("escape", "q", "j")
        await settle(pilot)
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("w")
        await until(lambda: isinstance(app.screen, OverviewScreen))
        await pilot.press("n")
        await until_shown(app, "Enter goes there, f9 stays")
        await pilot.press("n")  # the key that opens it closes it
        await until(lambda: isinstance(app.screen, OverviewScreen))
        await pilot.press("q")
        await until(lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("right", "l")
        await settle(pilot)
        assert app.screen.query_one("#cancel").has_focus
        await pilot.press("r")
        await until(lambda: app.screen.query_one("#confirm").has_focus)
        await pilot.press("f9")
        await until(lambda: isinstance(app.screen, OverviewScreen))


async def test_the_keys_of_the_welcome_can_be_others() -> None:
    keys = {"welcome.3": ("n",), "welcome.back": ("f9",), "welcome.next": ("f10",)}
    app = WelcomeApp("No.", theme="ccr-dark", symbols=UNICODE, settings=Settings(keys=keys))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(lambda: "n  Write a new configuration" in screen_text(app))
        await pilot.press("3")
        await settle(pilot)
        assert isinstance(app.screen, StartScreen)
        await pilot.press("n")
        await until(lambda: "f10 Next" in screen_text(app))
        await pilot.press("f2", "escape")
        await settle(pilot)
        assert "is missing" not in screen_text(app)
        await pilot.press("f10")
        await until(lambda: "is missing" in screen_text(app))
        await pilot.press("f9")
        await until(lambda: isinstance(app.screen, StartScreen))


async def test_the_welcome_says_what_is_wrong_with_the_settings(tmp_path: Path) -> None:
    settings = load(tmp_path, "theme: ccr-light\nkeys:\n  welcome.quit: [j]\n")
    app = WelcomeApp("No.", symbols=UNICODE, settings=settings)
    async with app.run_test(size=(80, 24), notifications=True):
        await until_told(app, "console.yaml:3: keys.'welcome.quit': wants j, which is welcome.down")
        assert app.theme == "ccr-light"


async def test_problems_are_on_the_screen_and_the_rest_works(tmp_path: Path) -> None:
    settings = load(tmp_path, "theme: ccr-light\nkeys:\n  refresh: [p]\n")
    async with console(small_engine(), settings=settings, theme=None) as (app, _):
        await until_told(app, "console.yaml:3: keys.refresh: wants p")
        assert app.theme == "ccr-light"


async def test_files_instead_of_the_terminal_where_it_is_off(tmp_path: Path) -> None:
    values = ConsoleSettings(clipboard=OFF, export_dir=str(tmp_path))
    async with console(small_engine(), settings=Settings(values)) as (app, pilot):
        await pilot.press("c")
        await until_told(app, "The text was written to")
    written = [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()]  # noqa: ASYNC240
    assert [text.strip() for text in written] == ["primary-to-dr"]


def test_the_settings_are_checked_by_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "console.yaml"
    path.write_text("mouse: false\n", encoding="utf-8")
    assert main(["config", "console", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: valid\n"
    path.write_text("mouse: 7\n", encoding="utf-8")
    assert main(["config", "console", str(path)]) == 2
    assert f"{path}:1: mouse: must be true or false" in capsys.readouterr().err
