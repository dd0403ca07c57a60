"""What is typed after `/`: text, `!text`, `re:regex`, `!re:regex`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from engine.api.snapshots import PartitionSnapshot, PartitionState
from engine.config.matching import Pattern, TooSlowError

Matches = Callable[[PartitionSnapshot], bool]
_MATCH_S = 0.05  # a regex that takes longer on a name is given up


class FilterError(ValueError):
    """The text is not a filter; says why."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter and the text it came from."""

    text: str
    matches: Matches
    regex: RegexFilter | None = None

    @property
    def trouble(self) -> str:
        """Why it finds nothing any more."""
        return self.regex.trouble if self.regex else ""


class RegexFilter:
    """A regex looked for in `topic/partition`, until it takes too long."""

    def __init__(self, pattern: str) -> None:
        """Raises FilterError."""
        try:
            re.compile(pattern)
            self._pattern = Pattern(pattern)
        except re.error as error:
            at = "" if error.pos is None else f" at position {error.pos + 1}"
            raise FilterError(f"not a regex: {error.msg}{at}") from None
        except ValueError as error:
            raise FilterError(f"not a regex: {error}") from None
        self.trouble = ""

    def __call__(self, partition: PartitionSnapshot) -> bool:
        """Whether it occurs."""
        if self.trouble:
            return False
        try:
            return self._pattern.occurs(name_of(partition), _MATCH_S)
        except TooSlowError:
            self.trouble = f"takes too long on {name_of(partition)}"
            return False


def parse(text: str) -> Filter | None:
    """Read a filter; None when the text asks for nothing. Raises FilterError.

    Text is looked for anywhere in `topic/partition`, whatever its case; a whole state word
    (stopped, waiting, growing, stalled, draining, in step, …) also finds the partitions in it.
    """
    wanted = text.strip()
    inverse = wanted.startswith("!")
    wanted = wanted.removeprefix("!")
    if wanted in ("", "re:"):
        return None
    regex = RegexFilter(wanted.removeprefix("re:")) if wanted.startswith("re:") else None
    matches = regex or _substring(wanted)
    return Filter(text.strip(), _inverted(matches) if inverse else matches, regex)


def name_of(partition: PartitionSnapshot) -> str:
    """Return `topic/partition`."""
    return f"{partition.topic}/{partition.partition}"


def _substring(wanted: str) -> Matches:
    lowered = wanted.lower()

    def matches(partition: PartitionSnapshot) -> bool:
        return lowered in name_of(partition).lower() or lowered == state_word(partition)

    return matches


def state_word(partition: PartitionSnapshot) -> str:
    """Return the word the status column shows."""
    running = partition.state is PartitionState.RUNNING
    return partition.trend.value if running else partition.state.value


def _inverted(matches: Matches) -> Matches:
    return lambda partition: not matches(partition)
