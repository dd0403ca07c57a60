"""What is typed after `/`: text, `!text`, `re:regex`, `!re:regex`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from engine.api.snapshots import PartitionSnapshot, PartitionState

Matches = Callable[[PartitionSnapshot], bool]


class FilterError(ValueError):
    """The text is not a filter; says why."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter and the text it came from."""

    text: str
    matches: Matches


def parse(text: str) -> Filter | None:
    """Read a filter; None when the text asks for nothing. Raises FilterError.

    Text is looked for anywhere in `topic/partition`, whatever its case; a whole state word
    (stopped, waiting, growing, stalled, draining, in step, …) also finds the partitions in it.
    """
    wanted = text.strip()
    inverse = wanted.startswith("!")
    wanted = wanted.removeprefix("!")
    if wanted.startswith("re:"):
        matches = _regex(wanted.removeprefix("re:"))
    else:
        matches = _substring(wanted) if wanted else None
    if matches is None:
        return None
    return Filter(text.strip(), _inverted(matches) if inverse else matches)


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


def _regex(pattern: str) -> Matches | None:
    if not pattern:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        at = "" if error.pos is None else f" at position {error.pos + 1}"
        raise FilterError(f"not a regex: {error.msg}{at}") from None
    return lambda partition: compiled.search(name_of(partition)) is not None


def _inverted(matches: Matches) -> Matches:
    return lambda partition: not matches(partition)
