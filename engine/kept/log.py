"""Records of the log file, as `engine.service.logs.HumanFormatter` writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from engine.api.kept_snapshots import LogLevel, LogPage, LogRecord
from engine.kept.rotated import GoneError, Piece, Place, RotatedFile

PIECE_BYTES = 256 * 1024
"""Read at most for one answer."""
MOST_CHARACTERS = 16_000
"""Of one record; the rest of it is in the file only."""
_HEAD = re.compile(
    rb"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (DEBUG|INFO|WARNING|ERROR|CRITICAL) *",
    re.MULTILINE,
)
_LEVELS = {
    b"DEBUG": LogLevel.DEBUG,
    b"INFO": LogLevel.INFO,
    b"WARNING": LogLevel.WARNING,
    b"ERROR": LogLevel.ERROR,
    b"CRITICAL": LogLevel.ERROR,
}


class LogReader:
    """Reads; every call blocks and raises OSError where the file cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = RotatedFile(path)

    def page(self, before: str, after: str, limit: int) -> LogPage:
        """Return records before a place, or after one, or the newest; raises ValueError."""
        try:
            if after:
                return self._after(Place.parse(after), limit)
            return self._before(Place.parse(before) if before else None, limit)
        except GoneError:
            if before:
                return LogPage(str(self._path), (), before, before, older=False, lost=True)
            newest = self._before(None, limit)
            return LogPage(
                newest.path, newest.records, newest.start, newest.end, newest.older, lost=True
            )

    def _before(self, place: Place | None, limit: int) -> LogPage:
        piece = self._file.before(place, PIECE_BYTES)
        if piece is None:
            here = str(place) if place is not None else ""
            return LogPage(str(self._path), (), here, here, older=False)
        marks = _marks(piece)
        if marks[0] == 0 and len(marks) > 1 and piece.start.offset and not _headed(piece):
            del marks[0]  # the end of a record that begins further up
        cut = len(marks) > limit
        marks = marks[-limit:]
        records = tuple(_records(piece, [*marks, len(piece.content)]))
        older = piece.older or cut
        return LogPage(
            str(self._path), records, records[0].place, str(piece.end), older, newer=piece.newer
        )

    def _after(self, place: Place, limit: int) -> LogPage:
        piece = self._file.after(place, PIECE_BYTES)
        path = str(self._path)
        if not piece.content:
            end = str(piece.end)
            return LogPage(path, (), end, end, older=piece.older, newer=piece.newer)
        marks = [*_marks(piece), len(piece.content)]
        if len(piece.content) > PIECE_BYTES // 2 and piece.newer and len(marks) > 2:
            del marks[-1]  # the last record may go on in the next piece
        newer = piece.newer or len(marks) > limit + 1
        marks = marks[: limit + 1]
        records = tuple(_records(piece, marks))
        end = str(Place(piece.end.file, piece.start.offset + marks[-1]))
        return LogPage(path, records, str(piece.start), end, older=piece.older, newer=newer)


def _headed(piece: Piece) -> bool:
    return _HEAD.match(piece.content) is not None


def _marks(piece: Piece) -> list[int]:
    """Return where in the piece records begin; what stands before the first one counts as one."""
    found = [head.start() for head in _HEAD.finditer(piece.content)]
    return found if found[:1] == [0] else [0, *found]


def _records(piece: Piece, marks: list[int]) -> Iterator[LogRecord]:
    for begin, end in pairwise(marks):
        place = str(Place(piece.start.file, piece.start.offset + begin))
        yield _record(place, piece.content[begin:end])


def _record(place: str, content: bytes) -> LogRecord:
    head = _HEAD.match(content)
    at: float | None = None
    level = LogLevel.STDERR
    if head is not None:
        at = datetime.fromisoformat(head[1].decode()).timestamp()
        level = _LEVELS[head[2]]
        content = content[head.end() :]
    text = content.decode(errors="replace").rstrip()
    if len(text) > MOST_CHARACTERS:
        more = len(text) - MOST_CHARACTERS
        text = f"{text[:MOST_CHARACTERS]}\n({more:,} characters more in the file)"
    return LogRecord(place, at, level, text)
