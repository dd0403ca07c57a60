"""Which consumer groups a flow takes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from engine.config.matching import Pattern
from engine.config.sync_sections import GroupsConfig

_AT_ONCE = 200  # names that are matched in one go of a thread


class GroupSelector:
    """Include and exclude regexes: whole names, exclude wins. What was decided is kept."""

    def __init__(self, config: GroupsConfig) -> None:
        self._include = [Pattern(text) for text in config.include]
        self._exclude = [Pattern(text) for text in config.exclude]
        self._taken: dict[str, bool] = {}

    async def select(self, names: Collection[str]) -> set[str]:
        """Return those that are taken. Raises TooSlowError."""
        new = [name for name in names if name not in self._taken]
        for at in range(0, len(new), _AT_ONCE):
            self._taken |= await asyncio.to_thread(self._match, new[at : at + _AT_ONCE])
        return {name for name in names if self._taken[name]}

    def _match(self, names: Iterable[str]) -> dict[str, bool]:
        return {
            name: any(pattern.matches(name) for pattern in self._include)
            and not any(pattern.matches(name) for pattern in self._exclude)
            for name in names
        }
