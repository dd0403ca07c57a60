"""Aligning one partition: from whatever a crash left to a log that is empty and begins at `goal`.

The log itself says how far it got: everything in it is fillers and markers of our transactions, it
never reaches past the goal, and so every step can be done again. Each transaction leaves room for
its own marker, which takes an offset when it is aborted: by us or, after a crash, by the next
`begin`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from engine.errors import KafkaError
from engine.replication.identical.fillers import LARGEST, largest_batch

TRANSACTION_FILLERS = 10 * LARGEST
TRANSACTION_S = 20.0
"""A transaction ends after so long, well before its coordinator would end it."""


class TooLargeError(KafkaError):
    """The broker takes no batch of this size."""


class FillLog(Protocol):
    """A target partition, as aligning uses it. All methods raise ConnectError and KafkaError."""

    async def begin(self) -> None:
        """Abort what a former run left open, and keep that run from writing any more."""

    async def bounds(self) -> tuple[int, int]:
        """Return where the log begins and ends now."""
        ...

    async def holds_only_ours(self, start: int, end: int) -> bool:
        """Whether all that stands from `start` to `end` was written by our transactions."""
        ...

    async def open(self) -> None:
        """Begin a transaction on the partition."""

    async def append(self, count: int) -> int:
        """Append so many fillers; return the first one's offset. Raises TooLargeError too."""
        ...

    async def abort(self, end: int) -> int:
        """Abort the transaction; return where the log ends once that is at `end` or beyond."""
        ...

    async def delete(self, offset: int) -> None:
        """Delete everything before an offset, which then is where the log begins."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """The log is empty and begins at the goal."""

    filled: int  # offsets
    exposed_seconds: float  # the longest time from a filler's append to its deletion
    left_over: bool = False  # there were fillers of a former engine, for nobody knows how long


@dataclass(frozen=True, slots=True)
class NotFresh:
    """The partition holds what is not ours; it was left as it is."""

    why: str


class Alignment:
    """One partition's; `goal` is the offset at which its log shall begin.

    After an error both steps are to be done again, beginning with `recover`.
    """

    def __init__(self, goal: int) -> None:
        self.goal = goal
        self.left = goal  # offsets yet to be filled, as `recover` found
        self._limit = LARGEST
        self._left_over = False
        self._exposed_since: float | None = None  # monotonic; there are fillers in the log
        self._exposed_longest = 0.0

    async def recover(self, log: FillLog) -> NotFresh | None:
        """Clear away what a former run left; needs READ on the topic where there is something."""
        await log.begin()
        start, end = await log.bounds()
        if end > self.goal:
            return NotFresh(f"it ends at offset {end} already, the source begins at {self.goal}")
        if end > start:
            if not await log.holds_only_ours(start, end):
                return NotFresh("it holds records that are not this flow's")
            self._left_over |= self._exposed_since is None
            await self._delete(log, end)
        self.left = self.goal - end
        return None

    async def fill(
        self,
        log: FillLog,
        note: Callable[[], Awaitable[None]],
        tell: Callable[[int], None],
        hurried: Callable[[], bool] = lambda: False,
    ) -> Aligned | NotFresh:
        """Fill up to the goal and delete; needs no READ.

        `note` puts on record who is about to fill; `tell` is told how far it got, whenever what was
        filled is deleted; `hurried` is asked whether to come to that soon.
        """
        await log.begin()
        start, end = await log.bounds()
        if start != end:
            return NotFresh(f"somebody wrote into it, from offset {start} to {end - 1}")
        await note()
        filled = self.goal - end
        while end < self.goal:
            reached = await self._fill_some(log, end, hurried)
            if reached is None:
                return NotFresh(f"somebody wrote into it while it was being aligned, at {end}")
            end = reached
            tell(end)
        if await log.bounds() != (self.goal, self.goal):
            return NotFresh("somebody wrote into it while it was being aligned")
        return Aligned(filled, self._exposed_longest, self._left_over)

    async def _fill_some(self, log: FillLog, end: int, hurried: Callable[[], bool]) -> int | None:
        """Fill by one transaction, delete that, return the new end; None: it was disturbed."""
        until = time.monotonic() + TRANSACTION_S
        most = min(self.goal - 1, end + TRANSACTION_FILLERS)
        await log.open()
        while end < most:
            count = largest_batch(most - end, self._limit)
            self._exposed_since = self._exposed_since or time.monotonic()
            try:
                first = await log.append(count)
            except TooLargeError:
                if count == 1:
                    raise
                self._limit = count // 2
                continue
            if first != end:
                await log.abort(first + count + 1)
                return None
            end += count
            if time.monotonic() > until or hurried():
                break
        if await log.abort(end + 1) != end + 1:
            return None
        await self._delete(log, end + 1)
        return end + 1

    async def _delete(self, log: FillLog, offset: int) -> None:
        await log.delete(offset)
        if self._exposed_since is not None:
            exposed = time.monotonic() - self._exposed_since
            self._exposed_longest = max(self._exposed_longest, exposed)
            self._exposed_since = None
