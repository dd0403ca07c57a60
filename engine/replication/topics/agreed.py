"""What configs a source and its mirror had when they last agreed, kept in the state topic.

So a change on the source can be told from an operator's on the mirror. Key: `sync/configs/<topic>`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from engine.replication.state_records import Entry, FlowRecord

NAME = "configs"
_VALUES = "v"


def agreed_values(record: FlowRecord) -> dict[str, dict[str, str]]:
    """Return them by source topic and config."""
    remembered = record.synced.get(NAME, {})
    return {topic: dict(entry[_VALUES]) for topic, entry in remembered.items()}


class AgreedConfigs:
    """Writes them; the flow's record is kept up to date, so that all who look see the same."""

    def __init__(
        self, record: FlowRecord, remember: Callable[[Iterable[Entry]], Awaitable[None]]
    ) -> None:
        self._record = record
        self._remember = remember

    @property
    def values(self) -> dict[str, dict[str, str]]:
        """By source topic and config."""
        return agreed_values(self._record)

    async def note(self, agreed: Mapping[str, Mapping[str, str]]) -> None:
        """Take in what topics agree on now. Raises SupersededError."""
        before = self.values
        changed = {topic: now for topic, now in agreed.items() if now != before.get(topic, {})}
        entries: list[Entry] = [
            (f"sync/{NAME}/{topic}", {_VALUES: dict(values)} if values else None)
            for topic, values in changed.items()
        ]
        if not entries:
            return
        await self._remember(entries)
        kept = self._record.synced.setdefault(NAME, {})
        for topic, values in changed.items():
            kept[topic] = {_VALUES: dict(values)}
