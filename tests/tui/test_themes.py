from __future__ import annotations

from pathlib import Path

import pytest

from ccr_tui.themes import DEFAULT, SIXTEEN, load_themes, theme_folders
from tests.tui.driving import console, screen_text, until
from tests.tui.scripted import small_engine

GOOD = "name: mine\nprimary: '#102030'\ndark: false\nvariables:\n  border: '#ffffff'\n"


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


def test_the_shipped_themes_are_usable() -> None:
    themes = load_themes(theme_folders()[:1])
    assert themes.problems == ()
    assert set(themes.by_name) == {DEFAULT, SIXTEEN}
    assert themes.by_name[SIXTEEN].ansi


def test_a_users_theme_wins_over_ours_by_name(tmp_path: Path) -> None:
    write(tmp_path, "mine.yaml", GOOD.replace("mine", DEFAULT))
    themes = load_themes([*theme_folders()[:1], tmp_path, tmp_path / "missing"])
    assert themes.by_name[DEFAULT].primary == "#102030"
    assert themes.problems == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a list", "it is not a mapping of theme fields"),
        ("name: x\n", "the field primary is missing"),
        ("name: x\nprimary: '#102030'\ncolour: red\n", "unknown field colour"),
        ("name: x\nprimary: '#10203'\n", "primary is not a colour: '#10203'"),
        ("name: x\nprimary: 102030\n", "primary is not text"),
        ("name: x\nprimary: red\ndark: 'no'\n", "dark is not true or false"),
        ("name: x\nprimary: red\ntext_alpha: high\n", "text_alpha is not a number"),
        ("name: x\nprimary: red\nvariables: [a]\n", "variables is not a mapping"),
        ("name: x\nprimary: [\n", "line 3:"),
        ("\x00", "bad.yaml is left out"),
    ],
)
def test_a_bad_theme_is_named_and_left_out(tmp_path: Path, text: str, problem: str) -> None:
    write(tmp_path, "bad.yaml", text)
    write(tmp_path, "good.yaml", GOOD)
    themes = load_themes([tmp_path])
    assert set(themes.by_name) == {"mine"}
    assert len(themes.problems) == 1
    assert problem in themes.problems[0]
    assert str(tmp_path / "bad.yaml") in themes.problems[0]


async def test_the_console_opens_with_a_bad_theme_and_says_so(tmp_path: Path) -> None:
    write(tmp_path, "bad.yaml", "name: x\n")
    folders = (*theme_folders()[:1], tmp_path)
    async with console(small_engine(), (120, 40), folders=folders) as (app, _):
        await until(lambda: "bad.yaml is left out" in screen_text(app).replace("\n", ""))
        assert app.theme == DEFAULT


async def test_an_unknown_theme_is_named(tmp_path: Path) -> None:
    async with console(small_engine(), (120, 40), theme="neon") as (app, _):
        await until(lambda: "There is no theme named neon" in screen_text(app))


async def test_no_color_uses_the_terminals_own_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with console(small_engine(), theme=None) as (app, _):
        assert app.theme == SIXTEEN
        styles = [s.style for strip in app.screen._compositor.render_strips() for s in strip]
        colours = {c for s in styles if s for c in (s.color, s.bgcolor) if c is not None}
        assert all(colour.is_default for colour in colours)
