"""Events: a bounded ring that console and control socket read, and the log."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable

from engine.api.snapshots import Event, Severity
from engine.printable import printable

RING = 1000
_LEVELS = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
}
log = logging.getLogger("ccr.events")


class Events:
    """What happened, newest last."""

    def __init__(self) -> None:
        self._ring: deque[Event] = deque(maxlen=RING)
        self._last_id = 0
        self._listeners: list[Callable[[Event], None]] = []

    @property
    def last_id(self) -> int:
        """Id of the newest event; 0 before the first."""
        return self._last_id

    def restore(self, events: Iterable[Event]) -> None:
        """Begin with what happened before this engine was started; ids go on from there."""
        for event in events:
            self._ring.append(event)
            self._last_id = max(self._last_id, event.id)

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event from now on."""
        self._listeners.append(listener)

    def emit(self, severity: Severity, subject: str, text: str, next_step: str = "") -> None:
        """Record an event and log it."""
        self._last_id += 1
        event = Event(
            self._last_id,
            time.time(),
            severity,
            printable(subject),
            printable(text),
            printable(next_step),
        )
        self._ring.append(event)
        log.log(_LEVELS[severity], "%s: %s", event.subject, event.text, extra={"ccr_event": event})
        for listener in self._listeners:
            listener(event)

    def since(self, event_id: int) -> tuple[Event, ...]:
        """Return the events after `event_id`, oldest first."""
        return tuple(event for event in self._ring if event.id > event_id)
