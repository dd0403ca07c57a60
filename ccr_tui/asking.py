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
        self, screen: Widget, ask: Callable[[], Awaitable[AnswerT]], *, every: float
    ) -> None:
        """Ask through `ask` every so many seconds, less often where answers take long."""
        self._screen = screen
        self._ask = ask
        self._pace = Pace(fastest=every, slowest=max(60.0, every))
        self._poked = asyncio.Event()
        self._question = 0
        self.answer: AnswerT | None = None
        self.answered_at: float | None = None  # monotonic
        self.failure: tuple[str, str] | None = None
        """What happened and what to do; None while the last question was answered."""

    async def run(self) -> None:
        """Ask until cancelled; not while the screen is behind another."""
        while True:
            self._poked.clear()
            if self._screen.app.screen_stack and self._screen.screen.is_current:
                started = time.monotonic()
                await self._once(self._question)
                self._pace.observe(time.monotonic() - started, 0.0)
                self._screen.post_message(Asked())
            await self._wait()

    def poke(self) -> None:
        """Ask again now."""
        self._poked.set()

    def forget(self) -> None:
        """Drop the answer, as the question is another one now; ask at once."""
        self._question += 1
        self.answer = self.answered_at = self.failure = None
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

    async def _once(self, question: int) -> None:
        answer: AnswerT | None = None
        failure: tuple[str, str] | None = None
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                answer = await self._ask()
        except TimeoutError:
            cause = f"The engine gave no answer within {ANSWER_WITHIN:.0f} s"
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
