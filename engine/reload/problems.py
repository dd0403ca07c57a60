"""Problems of a configuration file as EngineApi tells them."""

from __future__ import annotations

from collections.abc import Iterable

from engine.api.config_snapshots import ConfigProblem
from engine.config.problems import Problem


def as_shown(problems: Iterable[Problem]) -> tuple[ConfigProblem, ...]:
    """Return problems, or warnings, without the file, which is the one that was asked about."""
    return tuple(
        ConfigProblem(each.text, each.path, each.line, each.column, each.next_step)
        for each in problems
    )
