"""The command line of `ccr demo`: what is refused before anything is started."""

from __future__ import annotations

import pytest

from ccr_tui.cli import demo
from ccr_tui.cli.parsing import parse
from engine.errors import ConfigError


@pytest.mark.parametrize("number", ["0", "-3", "many", "nan", "inf"])
@pytest.mark.parametrize("option", ["--seconds", "--rate"])
def test_numbers_must_be_above_zero(option: str, number: str) -> None:
    with pytest.raises(ConfigError, match=f"'{number}' is not a number above 0"):
        parse(["demo", "--no-ui", f"{option}={number}"])


def test_the_headless_form_needs_something_to_compare() -> None:
    with pytest.raises(ConfigError, match="--read-only would have nothing replicated"):
        demo.run_demo(parse(["demo", "--no-ui", "--read-only"]))


def test_what_is_headless_only_is_refused_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    for arguments in (["--json"], ["--seconds", "5"]):
        with pytest.raises(ConfigError, match=f"{arguments[0]} goes only with --no-ui"):
            demo.run_demo(parse(["demo", *arguments]))
