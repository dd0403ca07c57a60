"""Colour themes from YAML files: ours, then the user's own, which win by name.

A theme file is a mapping of the fields of Textual's `Theme` (name, primary, error, dark, ansi,
variables, …; colours as Textual writes them: #rrggbb, names, ansi_red). A file that is not right is
left out and named; it never keeps the console from opening.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import yaml
from textual.color import Color, ColorParseError
from textual.theme import Theme

from ccr_tui.resources import themes_dir
from ccr_tui.user_files import themes_path

DEFAULT = "ccr-dark"
SIXTEEN = "ccr-16"
"""For terminals with 16 colours, and without any (NO_COLOR): the terminal's own palette."""

_FIELDS = {field.name for field in fields(Theme)}
_TEXT = {"name"}
_FLAGS = {"dark", "ansi"}
_NUMBERS = {"luminosity_spread", "text_alpha"}
_COLOURS = _FIELDS - _TEXT - _FLAGS - _NUMBERS - {"variables"}


class ThemeError(ValueError):
    """A theme file does not describe a theme; says why."""


@dataclass(frozen=True, slots=True)
class Themes:
    """The usable themes by name, and a sentence for each file that is not."""

    by_name: dict[str, Theme]
    problems: tuple[str, ...]


def theme_folders() -> tuple[Path, ...]:
    """Return where themes are looked for: the wheel's or the checkout's own, then the user's."""
    return themes_dir(), themes_path()


def load_themes(folders: Iterable[Path]) -> Themes:
    """Read every *.yaml in the folders (a missing folder is an empty one); later ones win."""
    by_name: dict[str, Theme] = {}
    problems: list[str] = []
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            try:
                theme = read_theme(path)
            except (ThemeError, UnicodeDecodeError, OSError, yaml.YAMLError) as error:
                problems.append(f"Theme {path} is left out: {_first_line(error)}")
            else:
                by_name[theme.name] = theme
    return Themes(by_name, tuple(problems))


def read_theme(path: Path) -> Theme:
    """Read one theme file; raises ThemeError, OSError or yaml.YAMLError with the cause."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ThemeError("it is not a mapping of theme fields")
    unknown = sorted(str(key) for key in content if key not in _FIELDS)
    if unknown:
        raise ThemeError(
            f"unknown field {', '.join(unknown)}; known are {', '.join(sorted(_FIELDS))}"
        )
    for needed in ("name", "primary"):
        if needed not in content:
            raise ThemeError(f"the field {needed} is missing")
    for key, value in content.items():
        _check(key, value)
    theme = Theme(**content)
    theme.to_color_system().generate()
    return theme


def _check(key: str, value: object) -> None:
    if key == "variables":
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise ThemeError("variables is not a mapping of names to text")
    elif key in _FLAGS:
        if not isinstance(value, bool):
            raise ThemeError(f"{key} is not true or false")
    elif key in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ThemeError(f"{key} is not a number")
    elif not isinstance(value, str):
        raise ThemeError(f"{key} is not text (colours need quotes: '#1e2a3a')")
    elif key in _COLOURS:
        _check_colour(key, value)


def _check_colour(key: str, value: str) -> None:
    try:
        Color.parse(value)
    except ColorParseError:
        raise ThemeError(f"{key} is not a colour: {value!r}") from None


def _first_line(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
