"""Events from before those that the engine has in memory; one JSON object a line."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from engine.api.kept_snapshots import EventsPage
from engine.api.snapshots import Event
from engine.kept.rotated import GoneError, Piece, Place, RotatedFile

PIECE_BYTES = 256 * 1024
LOOK_BYTES = 4 * 1024 * 1024
"""Read at most for one answer, far more than the newest thousand events: those are passed over."""
EVENT: TypeAdapter[Event] = TypeAdapter(Event)


class EventReader:
    """Reads; every call blocks and raises OSError where a file cannot be read."""

    def __init__(self, path: Path) -> None:
        self._file = RotatedFile(path)

    def before(self, event_id: int, place: str, limit: int) -> EventsPage:
        """Return the newest events before a place; without one, before an event.

        A line that was cut off by a crash is passed over. Raises ValueError (the place).
        """
        at = Place.parse(place) if place else None
        found: list[Event] = []
        older = True
        try:
            looked = 0
            while looked < LOOK_BYTES:
                piece = self._file.before(at, PIECE_BYTES)
                older = piece is not None
                if piece is None:
                    break
                at = piece.start
                looked += len(piece.content)
                kept = _kept(piece, None if place or found else event_id)
                if kept:
                    kept = kept[-(limit - len(found)) :]
                    at = kept[0][0]
                    older = piece.older or at != piece.start
                    found = [event for _, event in kept] + found
                if len(found) >= limit or not older:
                    break
        except GoneError:
            older = False
        older = older and bool(found or place)
        return EventsPage(tuple(found), str(at) if at is not None else "", older)


def _kept(piece: Piece, before: int | None) -> list[tuple[Place, Event]]:
    """Return events and where they begin; `before` an id: without that one, and what is after."""
    kept: list[tuple[Place, Event]] = []
    offset = piece.start.offset
    for line in piece.content.splitlines(keepends=True):
        event = read_event(line)
        if event is not None:
            kept.append((Place(piece.start.file, offset), event))
        offset += len(line)
    while before is not None and kept and kept[-1][1].id >= before:
        kept.pop()
    return kept


def read_event(line: bytes) -> Event | None:
    """Read a line; None when it is not whole."""
    try:
        return EVENT.validate_json(line)
    except ValidationError:
        return None
