"""The welcome: every way on, what stops it, and that no secret is shown or written."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from textual.app import App
from textual.events import Paste
from textual.pilot import Pilot

from ccr_tui.cli import welcome as cli
from ccr_tui.resources import sample_configs_dir
from ccr_tui.screens.welcome.app import WelcomeApp
from ccr_tui.screens.welcome.choices import READ_ONLY, OpenConfig, RunDemo
from ccr_tui.screens.welcome.files import ImportScreen, OpenScreen
from ccr_tui.screens.welcome.new import FlowStep, NewScreen, TargetStep
from ccr_tui.screens.welcome.paths import complete
from ccr_tui.screens.welcome.report import ReportScreen
from ccr_tui.screens.welcome.saving import SaveScreen
from ccr_tui.screens.welcome.start import StartScreen
from ccr_tui.symbols import ASCII, UNICODE
from engine.config.loader import read
from engine.config.locations import NoConfigError
from tests.tui.driving import screen_text, settle, until
from tests.unit.test_cli_import import MemoryKeyring

WHY = "There is no configuration."
Welcome = tuple[WelcomeApp, Pilot[Any]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with nothing, in a folder with both seeds."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "work").mkdir()
    for name in ("mm2", "replicator"):
        source = sample_configs_dir() / f"{name}.properties"
        (tmp_path / "work" / source.name).write_bytes(source.read_bytes())
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    memory = MemoryKeyring()
    monkeypatch.setattr(keyring, "get_keyring", lambda: memory)
    return memory


@pytest.fixture
def no_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "get_keyring", NoKeyring)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


@contextlib.asynccontextmanager
async def welcome(size: tuple[int, int] = (80, 24), **options: Any) -> AsyncIterator[Welcome]:
    app = WelcomeApp(WHY, theme="ccr-dark", symbols=options.pop("symbols", UNICODE), **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        await settle(pilot)
        yield app, pilot


async def until_in_front(app: App[Any], kind: type, pilot: Pilot[Any]) -> None:
    try:
        await until(lambda: isinstance(app.screen, kind) and app.screen.is_mounted, within=5)
    except AssertionError:
        raise AssertionError(screen_text(app)) from None
    await settle(pilot)


async def until_shown(app: App[Any], text: str) -> str:
    with contextlib.suppress(AssertionError):
        await until(lambda: text in screen_text(app), within=5)  # type: ignore[arg-type]
    shown = screen_text(app)  # type: ignore[arg-type]
    assert text in shown, shown
    return shown


async def type_text(pilot: Pilot[Any], text: str) -> None:
    """Paste, which is quicker than pressing key by key."""
    pilot.app.post_message(Paste(text))
    await pilot.pause()


async def report_of(app: WelcomeApp, pilot: Pilot[Any], start: str = "mm") -> ReportScreen:
    await pilot.press("2")
    await until_in_front(app, ImportScreen, pilot)
    await type_text(pilot, start)
    await pilot.press("tab")
    await until_shown(app, ".properties")
    await pilot.press("enter")
    await until_in_front(app, ReportScreen, pilot)
    assert isinstance(app.screen, ReportScreen)
    return app.screen


async def saving(app: WelcomeApp, pilot: Pilot[Any]) -> SaveScreen:
    await pilot.press("f2")
    await until_in_front(app, SaveScreen, pilot)
    assert isinstance(app.screen, SaveScreen)
    return app.screen


async def test_it_says_why_and_what_each_way_does(home: Path) -> None:
    async with welcome() as (app, pilot):
        assert WHY in screen_text(app)  # type: ignore[arg-type]
        for told in (
            "no Docker and no Java",
            "ccr import FILE",
            "ccr config init",
            "ccr --config FILE",
        ):
            await until_shown(app, told)
            await pilot.press("j")
        await until_shown(app, "ccr demo")  # round once
        await pilot.press("k")
        await until_shown(app, "ccr --config FILE")
        await until_shown(app, "▸4  Open a configuration")
        await pilot.press("escape")
        assert isinstance(app.screen, StartScreen)
        await pilot.press("q")
    assert app.return_value is None


async def test_the_demo_is_gone_on_with(home: Path) -> None:
    async with welcome() as (app, pilot):
        await pilot.press("enter")
    assert app.return_value == RunDemo()


async def test_a_demo_that_cannot_run_says_what_is_missing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    async with welcome() as (app, pilot):
        await pilot.press("1")
        await until_shown(app, "pip install 'ccr[sandbox]'")
        assert isinstance(app.screen, StartScreen)


async def test_read_only_writes_nothing(home: Path) -> None:
    async with welcome(read_only=True) as (app, pilot):
        for key in ("2", "3"):
            await pilot.press(key)
            await until_shown(app, READ_ONLY)
            assert isinstance(app.screen, StartScreen)
        await pilot.press("4")
        await until_in_front(app, OpenScreen, pilot)


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+q"])
async def test_it_can_be_left_from_everywhere(home: Path, key: str) -> None:
    async with welcome() as (app, pilot):
        await pilot.press("4")
        await until_in_front(app, OpenScreen, pilot)
        await pilot.press(key)
        await settle(pilot)
        assert app.is_running
        await until_shown(app, "Press it again")
        await pilot.press(key)
        await until(lambda: not app.is_running)
    assert app.return_value is None


async def test_a_configuration_that_is_there_is_checked_and_opened(home: Path) -> None:
    good = home / "work" / "good.yaml"
    good.write_text("version: 1\nclusters: {a: {bootstrap_servers: ['x:1']}}\n")
    (home / "work" / "bad.yaml").write_text("version: 1\nclusters: {}\n")
    async with welcome() as (app, pilot):
        await pilot.press("4")
        await until_in_front(app, OpenScreen, pilot)
        await pilot.press("enter")
        await until_shown(app, "Type the path of a file")
        await type_text(pilot, "b")
        await pilot.press("tab")
        await until_shown(app, "bad.yaml")
        await pilot.press("enter")
        await until_shown(app, "clusters")
        await pilot.press("escape")
        await until_in_front(app, StartScreen, pilot)
        await pilot.press("4")
        await until_in_front(app, OpenScreen, pilot)
        await type_text(pilot, "nowhere.yaml")
        await pilot.press("enter")
        await until_shown(app, "there is no such file")
        await pilot.press("ctrl+u")
        await type_text(pilot, "good.yaml")
        await pilot.press("enter")
        await until(lambda: app.return_value is not None)
    assert app.return_value == OpenConfig(Path("good.yaml"))


async def test_the_report_tells_every_key_and_what_must_be_decided_first(home: Path) -> None:
    async with welcome() as (app, pilot):
        report = await report_of(app, pilot)
        shown = screen_text(app)  # type: ignore[arg-type]
        assert "1 needs a decision" in shown
        assert "MirrorMaker 2 would replicate nothing" in shown
        assert len(report.table.book.shown) == len(report.imported.keys)
        await pilot.press("enter")
        await until_shown(app, "is source to target right?")
        await until_shown(app, "Esc closes")
        await pilot.press("escape")
        await until_in_front(app, ReportScreen, pilot)
        await pilot.press("s")
        await settle(pilot)
        assert report.table.current is not None
        assert report.table.current[1].line == 3
        await pilot.press("slash")
        await type_text(pilot, "jaas")
        await pilot.press("enter")
        await until(lambda: len(report.table.book.shown) == 2)
        shown = await until_shown(app, "(hidden)")
        assert "source-password" not in shown
        await pilot.press("escape")
        await until(lambda: len(report.table.book.shown) == len(report.imported.keys))
        await pilot.press("slash", "q", "q", "q", "q", "down")
        await until_shown(app, "No key matches the filter")
        await pilot.press("slash", "escape")
        await until(lambda: len(report.table.book.shown) == len(report.imported.keys))
        await pilot.press("v")
        shown = await until_shown(app, "To decide: source->target.enabled")
        await pilot.press("escape")
        await until_in_front(app, ReportScreen, pilot)
        await pilot.press("escape")
        await until_in_front(app, ImportScreen, pilot)


async def test_an_import_is_written_its_secrets_kept_in_the_keyring_and_opened(
    home: Path, ring: MemoryKeyring
) -> None:
    path = home / "config" / "ccr" / "ccr.yaml"
    async with welcome(size=(120, 40)) as (app, pilot):
        await report_of(app, pilot)
        await saving(app, pilot)
        assert str(path) in screen_text(app)  # type: ignore[arg-type]
        await pilot.press("f2")
        await until(lambda: app.return_value is not None)
    assert app.return_value == OpenConfig(path)
    assert set(read(path).config.flows) == {"source-to-target"}
    assert "source-password" not in path.read_text()
    assert ring.entries["ccr-source", "source-user"] == "source-password"


async def test_without_a_keyring_files_are_proposed(home: Path, no_ring: None) -> None:
    path = home / "config" / "ccr" / "ccr.yaml"
    async with welcome() as (app, pilot):
        await report_of(app, pilot, "rep")
        screen = await saving(app, pilot)
        await until(lambda: screen.way == "files")
        await pilot.press("tab", "left")
        assert screen.way == "keyring"
        await pilot.press("f2")
        await until_shown(app, "there is no keyring here")
        assert not path.exists()
        await pilot.press("right", "f2")
        await until(lambda: app.return_value is not None)
    sasl = read(path).config.clusters["source"].sasl
    assert sasl is not None
    assert sasl.password is not None
    kept = await sasl.password.resolve(what="it")
    assert kept.get_secret_value() == "source-password"
    assert "source-password" not in path.read_text()


async def test_secrets_may_be_left_for_later(home: Path, ring: MemoryKeyring) -> None:
    async with welcome() as (app, pilot):
        await report_of(app, pilot)
        screen = await saving(app, pilot)
        await pilot.press("tab", "n")
        assert screen.way == "not now"
        await pilot.press("f2")
        await until(lambda: app.return_value is not None)
    assert ring.entries == {}


async def test_a_file_that_is_there_is_not_overwritten(home: Path, ring: MemoryKeyring) -> None:
    path = home / "config" / "ccr" / "ccr.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    async with welcome() as (app, pilot):
        await report_of(app, pilot)
        await saving(app, pilot)
        await pilot.press("f2")
        await until_shown(app, "it is there already")
        assert app.return_value is None
        await pilot.press("ctrl+u", "f2")
        await until_shown(app, "Type where it is to be written")
    assert path.read_text() == "mine"
    assert ring.entries == {}


async def test_a_new_configuration_by_form(home: Path, ring: MemoryKeyring) -> None:
    path = home / "config" / "ccr" / "ccr.yaml"
    async with welcome() as (app, pilot):
        await pilot.press("3")
        await until_in_front(app, NewScreen, pilot)
        await pilot.press("f2")
        await until_shown(app, "is missing: host:port of one or more brokers")
        await type_text(pilot, "localhost:9092")
        await pilot.press("f2")
        await until_in_front(app, TargetStep, pilot)
        await pilot.press("tab")
        await type_text(pilot, "kafka.dr:9093")
        await pilot.press("tab", "tab", "right", "right", "right", "tab", "right", "tab")
        await type_text(pilot, "ccr")
        await pilot.press("tab")
        await type_text(pilot, "geheim")
        assert "geheim" not in screen_text(app)  # type: ignore[arg-type]
        await pilot.press("f2")
        await until_in_front(app, FlowStep, pilot)
        await pilot.press("tab")
        await type_text(pilot, "(")
        await pilot.press("f2")
        await until_shown(app, "does not compile")
        await pilot.press("backspace")
        await type_text(pilot, "orders")
        await pilot.press("f2")
        await until_in_front(app, SaveScreen, pilot)
        await pilot.press("f2")
        await until(lambda: app.return_value is not None)
    assert app.return_value == OpenConfig(path)
    config = read(path).config
    assert config.clusters["primary"].bootstrap_servers == ["localhost:9092"]
    sasl = config.clusters["dr"].sasl
    assert sasl is not None
    assert (sasl.mechanism, str(sasl.password)) == ("PLAIN", "keyring:ccr-dr/ccr")
    assert config.flows["primary-to-dr"].topics.include == ["orders"]
    assert ring.entries == {("ccr-dr", "ccr"): "geheim"}
    assert "geheim" not in path.read_text()


async def test_both_clusters_need_names_of_their_own(home: Path) -> None:
    async with welcome() as (app, pilot):
        await pilot.press("3")
        await until_in_front(app, NewScreen, pilot)
        await pilot.press("tab")
        await type_text(pilot, "a:1")
        await pilot.press("f2")
        await until_in_front(app, TargetStep, pilot)
        await pilot.press("ctrl+u")
        await pilot.press("f2")
        await until_shown(app, "is missing: give it one")
        await type_text(pilot, "primary")
        await pilot.press("tab")
        await type_text(pilot, "b:1")
        await pilot.press("f2")
        await until_shown(app, "is the name of the other one")
        await pilot.press("escape")
        await until_shown(app, "What you typed on this page")
        await pilot.press("enter")  # Cancel
        await until_in_front(app, TargetStep, pilot)
        await pilot.press("escape")
        await until_shown(app, "What you typed on this page")
        await pilot.press("right", "enter")
        await until_in_front(app, NewScreen, pilot)
        assert "a:1" in screen_text(app)  # type: ignore[arg-type]


async def test_a_terminal_without_utf_8_and_little_room(home: Path) -> None:
    async with welcome(size=(60, 20), symbols=ASCII) as (app, pilot):
        assert screen_text(app).isascii()  # type: ignore[arg-type]
        await report_of(app, pilot)
        assert screen_text(app).isascii()  # type: ignore[arg-type]
        await pilot.resize_terminal(40, 8)
        await settle(pilot)
        assert "source->target" in screen_text(app)  # type: ignore[arg-type]


class Faulty(WelcomeApp):
    """Fails at a key, with a secret at hand."""

    def do_leave(self) -> None:
        password = "geheim"
        raise ZeroDivisionError(f"{len(password)}")


async def test_a_fault_shows_no_values(home: Path) -> None:
    app = Faulty(WHY, theme="ccr-dark", symbols=UNICODE)
    with contextlib.suppress(ZeroDivisionError):  # the Pilot raises it as well
        async with app.run_test() as pilot:
            await pilot.press("ctrl+c")
            await pilot.pause()
    assert isinstance(app.crash, ZeroDivisionError)
    assert app._exit_renderables == []


def arguments() -> argparse.Namespace:
    return argparse.Namespace(config=None, read_only=True, theme=None)


@pytest.mark.parametrize(
    ("chosen", "called"),
    [(OpenConfig(Path("x.yaml")), "console on x.yaml"), (RunDemo(), "demo"), (None, "")],
)
def test_what_was_chosen_is_gone_on_with(
    chosen: OpenConfig | RunDemo | None, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    async def choose(app: WelcomeApp, *, mouse: bool) -> OpenConfig | RunDemo | None:
        assert app.read_only
        assert mouse
        return chosen

    def console(args: argparse.Namespace) -> int:
        calls.append(f"console on {args.config}")
        return 0

    def demo(args: argparse.Namespace) -> int:
        assert not args.no_ui
        calls.append("demo")
        return 0

    monkeypatch.setattr(cli, "_until_chosen", choose)
    monkeypatch.setattr(cli, "open_console", console)
    monkeypatch.setattr("ccr_tui.cli.demo.run_demo", demo)
    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(f"sys.{stream}", SimpleNamespace(isatty=lambda: True))
    assert cli.welcome(arguments(), NoConfigError("there is none", "")) == 0
    assert calls == ([called] if called else [])


def test_completion_of_paths(tmp_path: Path) -> None:
    for name in ("mm2.properties", "mm2-old.properties", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "only").touch()
    at = f"{tmp_path}/"
    assert complete(f"{at}m").text == f"{at}mm2"
    assert complete(f"{at}mm2").names == ("mm2-old.properties", "mm2.properties")
    assert complete(f"{at}f").text == f"{at}folder/"
    assert complete(f"{at}folder/").text == f"{at}folder/only"
    assert complete(f"{at}.h").text == f"{at}.hidden"
    assert ".hidden" not in complete(at).names
    assert complete(f"{at}nothing").text == f"{at}nothing"
    assert complete("/no/such/folder/x").names == ()


def test_completion_starts_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mm2.properties").touch()
    assert complete("~/m").text == "~/mm2.properties"
