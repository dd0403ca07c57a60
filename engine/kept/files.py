"""What the engine's API tells of the past, read in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from engine.api.kept_snapshots import MOST_AT_ONCE, EventsPage, LogPage
from engine.errors import CcrError, ConfigError, RefusedError
from engine.kept.events import EventReader
from engine.kept.log import LogReader

_Answer = TypeVar("_Answer")


class KeptFiles:
    """The files of one service. An engine that only looks, once, has none."""

    def __init__(self, log: Path | None = None, events: Path | None = None) -> None:
        self._log = log
        self._events = events

    async def log(self, *, before: str, after: str, limit: int) -> LogPage:
        """See engine.api.protocol."""
        path = self._log
        if path is None:
            raise RefusedError(
                "reading",
                "the log",
                "this engine writes none",
                "It said why when it started; `ccr info` tells where it should be",
            )
        reader = LogReader(path)
        most = _most(limit)
        return await _read(lambda: reader.page(before, after, most), path)

    async def events(self, before: int, place: str, limit: int) -> EventsPage:
        """See engine.api.protocol."""
        path = self._events
        if path is None:
            return EventsPage((), "", older=False)
        reader = EventReader(path)
        most = _most(limit)
        return await _read(lambda: reader.before(before, place, most), path)


def _most(limit: int) -> int:
    return max(1, min(limit, MOST_AT_ONCE))


async def _read(ask: Callable[[], _Answer], path: Path) -> _Answer:
    try:
        return await asyncio.to_thread(ask)
    except OSError as error:
        raise CcrError(
            "reading", str(path), error.strerror or str(error), "Mend its mode or its folder"
        ) from error
    except ValueError as error:
        raise ConfigError("reading", str(path), f"what was asked for {error}") from None
