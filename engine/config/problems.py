"""What is wrong with a configuration file: one sentence and its place for each problem."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the top of the file."""
_PLAIN_KEY = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. Lines and columns count from 1; None where the whole file is meant."""

    file: str
    text: str
    line: int | None = None
    column: int | None = None
    key: str = ""
    next_step: str = ""
    path: KeyPath = ()

    def __str__(self) -> str:
        """Write `file:line: key.path: text`, with the column when there is no key to name."""
        place = f"{self.where}: {self.text}"
        return f"{place.rstrip('.')}. {self.next_step}" if self.next_step else place

    @property
    def where(self) -> str:
        """The place alone."""
        place = self.file
        if self.line is not None:
            place += f":{self.line}"
        if self.key:
            return f"{place}: {self.key}"
        return place if self.column is None else f"{place}:{self.column}"


class InvalidConfigError(ConfigError):
    """A configuration file with everything that is wrong with it, in the file's order."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        found = in_file_order(problems)
        if len(found) == 1:
            super().__init__("", found[0].where, found[0].text, found[0].next_step)
        else:
            listed = "\n".join(str(problem) for problem in found)
            super().__init__("reading", file, f"{len(found)} problems\n{listed}")
        self.file = file
        self.problems = found


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort by line and column; what concerns the whole file comes first."""
    return tuple(
        sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0, problem.key))
    )


def dotted(path: Sequence[str | int]) -> str:
    """Write a path as people do: flows.a.topics.include[0]; unusual keys are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _PLAIN_KEY.fullmatch(part) else f"'{part}'")
    return text
