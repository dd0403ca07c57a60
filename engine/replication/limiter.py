"""The flow's rate limit: a token bucket that is paid after each fetch."""

from __future__ import annotations

import asyncio
import time

BURST_S = 0.25


class Limiter:
    """Bytes a second, changeable while running; None is no limit."""

    def __init__(self, bytes_per_second: int | None) -> None:
        self._rate = bytes_per_second
        self._free_at = 0.0

    @property
    def bytes_per_second(self) -> int | None:
        """The present limit."""
        return self._rate

    @bytes_per_second.setter
    def bytes_per_second(self, value: int | None) -> None:
        self._rate = value
        self._free_at = 0.0

    @property
    def fetch_bytes(self) -> int | None:
        """Most bytes to ask for at once so that the rate stays even; None without a limit."""
        return None if self._rate is None else max(int(self._rate * BURST_S), 16 * 1024)

    async def paid(self, size: int) -> None:
        """Wait until `size` bytes more are within the limit."""
        if self._rate is None or size == 0:
            return
        now = time.monotonic()
        self._free_at = max(self._free_at, now - BURST_S) + size / self._rate
        if self._free_at > now:
            await asyncio.sleep(self._free_at - now)
