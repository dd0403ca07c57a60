"""Waiting longer after each failure in a row, with jitter."""

from __future__ import annotations

import asyncio
import random


class Backoff:
    """From 0.1 s doubling to `ceiling` seconds; at most a quarter of it added at random."""

    def __init__(self, first: float = 0.1, ceiling: float = 5.0) -> None:
        self._first = first
        self._ceiling = ceiling
        self._next = first
        self._no_longer = asyncio.Event()

    def reset(self) -> None:
        """Begin anew after a success."""
        self._next = self._first

    async def sleep(self) -> None:
        """Wait for the present delay and lengthen the next."""
        delay = self._next
        self._next = min(self._next * 2, self._ceiling)
        self._no_longer.clear()
        try:
            async with asyncio.timeout(delay * (1 + random.random() / 4)):  # noqa: S311  (jitter)
                await self._no_longer.wait()
        except TimeoutError:
            return

    def cut_short(self) -> None:
        """End a wait that goes on just now; what is waited for may have come."""
        self._next = self._first
        self._no_longer.set()
