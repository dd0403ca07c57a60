"""Asking every broker that matters: what a fence is, each broker learns by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import TypeVar

from engine.errors import ConnectError
from engine.runbook.findings import Finding, warn

SETTLED_WITHIN_S = 10.0
FIRST_PAUSE_S, MOST_PAUSE_S = 0.02, 0.5
_Answer = TypeVar("_Answer")


async def settled(condition: Callable[[], Awaitable[bool]]) -> tuple[Finding, ...]:
    """Wait until brokers know what the controller has done; say so when they do not in time."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    pause = FIRST_PAUSE_S
    while not await condition():
        if time.monotonic() > deadline:
            text = f"Not every broker knows of it after {SETTLED_WITHIN_S:.0f} s"
            return (warn(text, "Look at the brokers: one may be behind the controller"),)
        await asyncio.sleep(pause)
        pause = min(2 * pause, MOST_PAUSE_S)
    return ()


async def ask_all(asking: Iterable[Awaitable[_Answer]]) -> list[_Answer]:
    """Ask brokers at the same time; leave out who cannot be reached, unless it is all of them."""
    told: list[_Answer] = []
    failures: list[ConnectError] = []
    for answer in await asyncio.gather(*asking, return_exceptions=True):
        if isinstance(answer, ConnectError):
            failures.append(answer)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            told.append(answer)
    if failures and not told:
        raise failures[0]
    return told


def verdict(open_topics: Collection[str], *, all_told: bool) -> bool | None:
    """Whether a fence stands; None when nothing speaks against it, but not every broker told."""
    if open_topics:
        return False
    return True if all_told else None


def told_by(told: int, asked: int) -> str:
    """Say how many brokers told."""
    return f"by the word of {told:,} of {asked:,} broker{'s' * (asked != 1)}"
