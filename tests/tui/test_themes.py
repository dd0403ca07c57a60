from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color

from ccr_tui import theming
from ccr_tui.themes import DEFAULT, SIXTEEN, load_themes, theme_folders
from tests.tui.driving import console, screen_text, until, until_shown, until_told
from tests.tui.scripted import small_engine

GOOD = "name: mine\nprimary: '#102030'\ndark: false\nvariables:\n  border: '#ffffff'\n"


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


def test_the_shipped_themes_are_usable() -> None:
    themes = load_themes(theme_folders()[:1])
    assert themes.problems == ()
    assert set(themes.by_name) == {DEFAULT, SIXTEEN, "ccr-light", "ccr-contrast"}
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


async def test_a_theme_is_tried_on_kept_or_given_up() -> None:
    async with console(small_engine(), (80, 24)) as (app, pilot):
        app.action_act("theme")
        await until_shown(app, "Enter keeps it, Esc goes back")
        assert app.theme == DEFAULT
        await pilot.press("down")
        await until(lambda: app.theme == "ccr-light")
        await pilot.press("escape")
        await until(lambda: app.theme == DEFAULT)
        app.action_act("theme")
        await until_shown(app, "Enter keeps it, Esc goes back")
        await pilot.press("j", "enter")
        await until_told(app, "This is ccr-light")
        assert app.theme == "ccr-light"


async def test_a_changed_file_is_worn_at_once_and_a_bad_one_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theming, "LOOK_EVERY", 0.02)
    write(tmp_path, "mine.yaml", GOOD)
    folders = (*theme_folders()[:1], tmp_path)
    async with console(small_engine(), (120, 40), theme="mine", folders=folders) as (app, _):
        assert app.theme_variables["border"] == "#ffffff"
        write(tmp_path, "mine.yaml", GOOD.replace("#ffffff", "#abcdef"))
        await until(lambda: app.theme_variables["border"] == "#abcdef")
        write(tmp_path, "mine.yaml", "name: mine")
        await until_told(app, "mine.yaml is left out: the field primary is missing")
        assert app.theme == DEFAULT
        write(tmp_path, "late.yaml", GOOD.replace("mine", "late"))
        await until(lambda: "late" in app.theming.names)


@pytest.mark.parametrize(
    ("name", "least"), [("ccr-dark", 4.5), ("ccr-light", 4.5), ("ccr-contrast", 7)]
)
def test_what_is_said_can_be_read(name: str, least: float) -> None:
    """WCAG 2's contrast of each text colour on each ground, as far as the theme decides both."""
    theme = load_themes(theme_folders()[:1]).by_name[name]
    assert theme.background is not None
    assert theme.variables is not None
    grounds = [Color.parse(theme.background)]
    texts = [theme.foreground, theme.primary, theme.success, theme.warning, theme.error]
    pairs = [(Color.parse(text), ground) for text in texts if text for ground in grounds]
    for row in ("block-cursor", "block-cursor-blurred"):
        text, ground = theme.variables[f"{row}-foreground"], theme.variables[f"{row}-background"]
        pairs.append((Color.parse(text), Color.parse(ground)))
    assert len(pairs) == 7
    for text_colour, ground_colour in pairs:
        contrast = _contrast(text_colour, ground_colour)
        assert contrast >= least, f"{text_colour.hex} on {ground_colour.hex}: {contrast:.1f}"


def _contrast(one: Color, other: Color) -> float:
    dark, light = sorted(_luminance(colour) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Color) -> float:
    parts = [part / 255 for part in colour.rgb]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
