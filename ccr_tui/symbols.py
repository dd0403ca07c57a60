"""The marks that go with state words, with an ASCII set for terminals that cannot show more.

A symbol never stands alone: the word is always beside it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from engine.api.snapshots import FlowState, PartitionState, Trend


@dataclass(frozen=True, slots=True)
class Symbols:
    """One complete set of marks; every mark but the arrow is one cell wide."""

    states: Mapping[str, str]
    trends: Mapping[Trend, str]
    arrow: str
    dot: str
    ellipsis: str
    cursor: str
    crumb: str
    ascending: str
    descending: str
    rule: str
    stuck: str
    warning: str
    ramp: str
    """Sparkline levels, lowest first."""
    ascii_only: bool

    def state(self, state: FlowState | PartitionState) -> str:
        """Return mark and word of a state."""
        return f"{self.states[state.value]} {state.value}"

    def trend(self, trend: Trend) -> str:
        """Return mark and word of a trend."""
        return f"{self.trends[trend]} {trend.value}"

    def mark(self, word: str) -> str:
        """Return the mark of a partition's state or trend, by its word."""
        return self.states[word] if word in PARTITION_WORDS else self.trends[Trend(word)]

    def word(self, word: str) -> str:
        """Return mark and word of a partition's state or trend."""
        return f"{self.mark(word)} {word}"


PARTITION_WORDS = frozenset(state.value for state in PartitionState)

UNICODE = Symbols(
    states={
        "starting": "○",
        "running": "●",
        "waiting": "◌",
        "paused": "‖",
        "standby": "◇",
        "draining": "▽",
        "stopped": "■",
        "promoted": "◆",
    },
    trends={
        Trend.IN_STEP: "=",
        Trend.DRAINING: "▼",
        Trend.GROWING: "▲",
        Trend.STALLED: "■",
        Trend.UNKNOWN: "?",
    },
    arrow="→",
    dot="·",
    ellipsis="…",
    cursor="▸",
    crumb="»",
    ascending="▲",
    descending="▼",
    rule="─",
    stuck="■",
    warning="!",
    ramp="▁▂▃▄▅▆▇█",
    ascii_only=False,
)

ASCII = Symbols(
    states={
        "starting": "o",
        "running": "*",
        "waiting": "~",
        "paused": "=",
        "standby": "-",
        "draining": "v",
        "stopped": "!",
        "promoted": "#",
    },
    trends={
        Trend.IN_STEP: "=",
        Trend.DRAINING: "v",
        Trend.GROWING: "^",
        Trend.STALLED: "!",
        Trend.UNKNOWN: "?",
    },
    arrow="->",
    dot="-",
    ellipsis="~",
    cursor=">",
    crumb=">",
    ascending="^",
    descending="v",
    rule="-",
    stuck="!",
    warning="!",
    ramp="_.:-=+*#",
    ascii_only=True,
)


def for_environment(environment: Mapping[str, str], *, coerced: bool) -> Symbols:
    """Return the set for the locale that LC_ALL, LC_CTYPE or LANG names.

    The name counts, not what is installed here: over SSH it is the terminal's own. Python turns the
    C locale into C.UTF-8 by setting LC_CTYPE (`coerced`); that says nothing of the terminal.
    """
    names = [environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if coerced and names[1] == "C.UTF-8":
        names[1] = ""
    name = next((name for name in names if name), "C")
    return UNICODE if "utf8" in name.lower().replace("-", "") else ASCII


def for_locale() -> Symbols:
    """Return the set that suits the user's locale."""
    return for_environment(os.environ, coerced=sys.flags.utf8_mode == 1)
