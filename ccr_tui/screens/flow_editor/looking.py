"""Asks the engine what a flow that is being written would take; only the last question counts.

What is selected comes while one types. What would be done, how large it is and what is in the way
takes longer: it is asked once typing rests.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

from textual.message import Message
from textual.widget import Widget

from ccr_tui.bridge import told
from ccr_tui.screens.flow_editor import topics
from ccr_tui.screens.flow_editor.candidate import Candidate
from ccr_tui.screens.flow_editor.topics import Looked, TopicRow
from engine.api.preview_snapshots import PreviewSnapshot, SelectionSnapshot
from engine.api.protocol import FlowsApi
from engine.config.matching import TooSlowError
from engine.errors import CcrError, RefusedError

log = logging.getLogger(__name__)

SELECT_AFTER = 0.05
"""Seconds without a key before a selection is asked for."""
PREVIEW_AFTER = 1.0
_SLOW = "matching the regex"
"""The operation of a TooSlowError, which a remote engine's arrives as a plain RefusedError with."""


class Selected(Message, bubble=False):
    """There are other rows, or a reason why there are none."""


class Previewed(Message, bubble=False):
    """A preview came, began or failed."""


class Looking:
    """What was answered last."""

    def __init__(self, screen: Widget, flows: Callable[[], FlowsApi]) -> None:
        self._screen = screen
        self._flows = flows
        self._asked: Candidate | None = None
        self.now: frozenset[str] | None = None
        """What the flow mirrors at present; None: there is no such flow."""
        self.selection: SelectionSnapshot | None = None
        self.rows: list[TopicRow] = []
        self.starts = self.ends = self.blocked = 0
        """Topics that saving starts to mirror, that it ends, and that are in the way of it."""
        self.trouble = ""
        self.slow: RefusedError | None = None
        """Why a regex was given up."""
        self.preview: PreviewSnapshot | None = None
        self.previewed_at: float | None = None  # monotonic
        self.previewing = False
        self.preview_trouble = ""
        self._found: Looked = topics.NOTHING_LOOKED
        self._previewed: Candidate | None = None
        self._preview_at: float | None = None  # monotonic; None: none is wanted
        self._previews_run = False
        self._making = 0

    def begin(self, flow: str | None) -> None:
        """Ask what a flow that exists mirrors now."""
        if flow:
            self._screen.run_worker(self._ask_now(flow), group="now")

    def ask(self, candidate: Candidate | None) -> None:
        """Ask about what the form says now; what was asked before is dropped."""
        if candidate == self._asked:
            return
        self._asked = candidate
        if candidate is None:
            return
        # Not the coroutine itself: of one that is superseded before it began, Python complains.
        question: Callable[[], Awaitable[None]] = partial(self._select, candidate)
        self._screen.run_worker(question, group="select", exclusive=True)
        self._preview_soon(PREVIEW_AFTER)

    def look_again(self) -> None:
        """Ask for sizes and conflicts again, at once."""
        self._preview_soon(0.0)

    def _preview_soon(self, after: float) -> None:
        """Ask for a preview after so many seconds, and after the one that is under way.

        That one is not given up for it: the engine would go on with it all the same.
        """
        self._preview_at = time.monotonic() + after
        if not self._previews_run:
            self._previews_run = True
            self._screen.run_worker(self._previews(), group="preview")

    @property
    def is_current(self) -> bool:
        """Whether the preview is of what the form says now."""
        return self.preview is not None and self._previewed is self._asked

    def preview_age(self, now: float) -> float | None:
        """Return how many seconds ago the preview came."""
        return None if self.previewed_at is None else max(0.0, now - self.previewed_at)

    async def _ask_now(self, flow: str) -> None:
        try:
            selection = await self._flows().select(flow)
        except CcrError as error:
            # Without it nothing is marked as changing, which is said.
            log.warning("what flow %s mirrors now is not known: %s", flow, error)
            return
        self.now = topics.taken_of(selection)
        if self.selection is not None:
            await self._make_rows(self.selection)

    async def _select(self, candidate: Candidate) -> None:
        await asyncio.sleep(SELECT_AFTER)
        slow, trouble = None, ""
        try:
            selection = await self._flows().select(candidate.flow, candidate.section)
        except CcrError as error:
            if isinstance(error, TooSlowError) or error.operation == _SLOW:
                slow = error
            trouble = " ".join(told(error))
        if candidate is not self._asked:
            return
        self.trouble = trouble
        self.slow = slow if isinstance(slow, RefusedError) else None
        if trouble:
            self._screen.post_message(Selected())
        else:
            await self._make_rows(selection)

    async def _make_rows(self, selection: SelectionSnapshot) -> None:
        source = self._asked.section.source if self._asked else ""
        self.selection = selection
        self._making += 1
        number = self._making
        rows = await topics.rows_of(selection, self.now, self._found, source)
        if number != self._making:
            return  # a newer selection or preview was taken in meanwhile
        self.rows = rows
        self.starts = sum(row.change is topics.Change.STARTS for row in rows)
        self.ends = sum(row.change is topics.Change.ENDS for row in rows)
        self.blocked = sum(bool(row.plan and row.plan.blocked) for row in rows)
        self._screen.post_message(Selected())

    async def _previews(self) -> None:
        while self._preview_at is not None:
            rest = self._preview_at - time.monotonic()
            if rest > 0:
                await asyncio.sleep(rest)
                continue
            self._preview_at = None
            if self._asked is not None and self._asked.is_whole:
                await self._preview(self._asked)
        self._previews_run = False

    async def _preview(self, candidate: Candidate) -> None:
        self.previewing = True
        self._screen.post_message(Previewed())
        try:
            preview = await self._flows().preview(candidate.flow, candidate.section)
        except CcrError as error:
            self.preview_trouble = " ".join(told(error))
        else:
            self.preview, self.preview_trouble = preview, ""
            self._previewed, self.previewed_at = candidate, time.monotonic()
            self._found = topics.looked(preview)
            if self.selection is not None:
                await self._make_rows(self.selection)
        finally:
            self.previewing = False
            self._screen.post_message(Previewed())
