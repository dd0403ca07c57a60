"""What a screen asks the engine for itself: again and again while it is in front, one at a time.

What every screen shows (the snapshot, events, partitions) comes by `ccr_tui.bridge`; this is for
the answers that only one screen wants, and that may take seconds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from textual.message import Message
from textual.widget import Widget

from ccr_tui.bridge import told
from ccr_tui.formats import age
from ccr_tui.pace import Pace
from engine.errors import CcrError

log = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")

ANSWER_WITHIN = 30.0
"""Seconds after which a question counts as unanswered."""


class Asked(Message, bubble=False):
    """An `Asker` of the screen has an answer, or failed to get one."""


class Asker(Generic[AnswerT]):
    """Asks one question; the last good answer stays while later ones fail.

    A screen makes it, starts `run` as a worker, and shows `answer` and `trouble` at `Asked`.
    """

    def __init__(
        self,
        screen: Widget,
        ask: Callable[[], Awaitable[AnswerT]],
        *,
        every: float,
        within: float = ANSWER_WITHIN,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Ask through `ask` every so many seconds, less often where answers take long.

        `within` is how long an answer may take, in seconds. It is asked only while `wanted`.
        """
        self._screen = screen
        self._ask = ask
        self._every = every
        self._within = within
        self._wanted = wanted
        self._pace = self._new_pace()
        self._poked = asyncio.Event()
        self._question = 0
        self._asking: asyncio.Task[None] | None = None
        self.answer: AnswerT | None = None
        self.answered_at: float | None = None  # monotonic
        self.failure: tuple[str, str] | None = None
        """What happened and what to do; None while the last question was answered."""

    async def run(self) -> None:
        """Ask until cancelled; not while the screen is behind another."""
        while True:
            self._poked.clear()
            if self._may_ask():
                await self._asked(self._question)
            await self._wait()

    def _may_ask(self) -> bool:
        in_front = self._screen.app.screen_stack and self._screen.screen.is_current
        return bool(in_front) and self._wanted()

    def _new_pace(self) -> Pace:
        return Pace(fastest=self._every, slowest=max(60.0, self._every))

    def poke(self) -> None:
        """Ask again now."""
        self._poked.set()

    def forget(self, *, every: float | None = None) -> None:
        """Drop the answer, as the question is another one now; ask at once.

        `every` is how often this one is asked, in seconds; None: as the one before.
        """
        self._question += 1
        if every is not None:
            self._every = every
        if self._asking is not None:
            self._asking.cancel()
        self.answer = self.answered_at = self.failure = None
        self._pace = self._new_pace()
        self.poke()

    def age(self, now: float) -> float | None:
        """Return the answer's age in seconds; None before the first."""
        return None if self.answered_at is None else max(0.0, now - self.answered_at)

    def trouble(self, now: float) -> str:
        """Return why there is no newer answer, and how old the last one is; empty when all is well.

        For a screen that has nothing else to show, and for a line above one that has.
        """
        if self.failure is None:
            return ""
        what, next_step = self.failure
        old = self.age(now)
        last = f" What you see is {age(old)} old." if old is not None else ""
        return f"{what.rstrip('.')}. {next_step}".rstrip() + last

    async def _asked(self, question: int) -> None:
        """Ask once; what is asked is given up when the question becomes another one."""
        started = time.monotonic()
        asking = self._asking = asyncio.create_task(self._once(question))
        try:
            await asyncio.wait([asking])
        finally:
            asking.cancel()
        if question == self._question:
            self._pace.observe(time.monotonic() - started, 0.0)
            self._screen.post_message(Asked())

    async def _once(self, question: int) -> None:
        answer: AnswerT | None = None
        failure: tuple[str, str] | None = None
        try:
            async with asyncio.timeout(self._within):
                answer = await self._ask()
        except TimeoutError:
            cause = f"The engine gave no answer within {self._within:.0f} s"
            failure = cause, "It may be stopped or overloaded."
        except CcrError as error:
            failure = told(error)
        except Exception as error:
            log.exception("an answer could not be used")
            failure = f"The answer could not be used: {error!r}", "The console's log has more."
        if question != self._question:
            return
        self.failure = failure
        if failure is None:
            self.answer, self.answered_at = answer, time.monotonic()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._pace.interval):
                await self._poked.wait()
        except TimeoutError:
            pass
