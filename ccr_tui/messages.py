"""What the bridge tells the console. A newer message replaces an older one that still waits."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from ccr_tui.state import ConsoleMode
from engine.api.snapshots import EngineSnapshot, Event, PartitionsPage


@dataclass(frozen=True, slots=True)
class PartitionUpdate:
    """A page of partitions; a `full` one lists all there are, so others are gone."""

    page: PartitionsPage
    full: bool


class SnapshotReady(Message, bubble=False):
    """The engine answered."""

    def __init__(self, snapshot: EngineSnapshot, received_at: float) -> None:
        super().__init__()
        self.snapshot = snapshot
        self.received_at = received_at

    def can_replace(self, message: Message) -> bool:
        """Merge with a waiting one."""
        return isinstance(message, SnapshotReady)


class EventsReady(Message, bubble=False):
    """New events, oldest first. Never merged: each is told once."""

    def __init__(self, engine_id: str, events: tuple[Event, ...]) -> None:
        super().__init__()
        self.engine_id = engine_id
        self.events = events


class PartitionsReady(Message, bubble=False):
    """Pages wait in the bridge: `EngineBridge.take_partitions` hands all of them over at once."""

    def can_replace(self, message: Message) -> bool:
        """Merge with a waiting one."""
        return isinstance(message, PartitionsReady)


class EngineChanged(Message, bubble=False):
    """A lost engine was replaced: from now on another one is asked."""

    def __init__(self, mode: ConsoleMode) -> None:
        super().__init__()
        self.mode = mode


class LinkLost(Message, bubble=False):
    """The engine does not answer; the bridge goes on trying."""

    def __init__(self, what: str, next_step: str, at: float) -> None:
        super().__init__()
        self.what = what
        self.next_step = next_step
        self.at = at
