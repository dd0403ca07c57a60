"""A file that rotates (`x.log`, `x.log.1`, …), read in pieces from places that stay.

A place names a file by its inode and its first line, so it is the same place when the file is
renamed by a rotation, and no place in a file that got the inode of a deleted one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

OLDER_FILES = 9
"""Numbers that are looked for; a gap among them is no end."""
_FIRST_LINE = 512  # bytes that tell files apart
_LOOKS = 3  # while files are being renamed, one may be missed
_LOOK_AGAIN_S = 0.02


class GoneError(LookupError):
    """The file of a place is no longer there, or no longer has it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Between two lines."""

    file: str
    offset: int  # bytes

    def __str__(self) -> str:
        return f"{self.file}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read what `str` wrote; raises ValueError."""
        file, _, offset = text.rpartition(":")
        if not file or not (offset.isascii() and offset.isdigit() and len(offset) <= 18):
            raise ValueError("is not a place in a file")
        return cls(file, int(offset))


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of one file."""

    content: bytes
    start: Place
    end: Place
    older: bool  # whether something is before
    newer: bool  # whether something is after


@dataclass(frozen=True, slots=True)
class _File:
    handle: BinaryIO
    name: str
    size: int

    def read(self, start: int, end: int) -> bytes:
        self.handle.seek(start)
        return self.handle.read(end - start)


class RotatedFile:
    """Reads; every call blocks and raises OSError where a file cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def before(self, place: Place | None, most: int) -> Piece | None:
        """Return at most so many bytes that end at a place, or at the very end.

        None when nothing is there; raises GoneError.
        """
        with self._files(place) as files:
            index = _index(files, place)
            end = place.offset if place is not None else files[0].size if files else 0
            if end == 0:
                index += 1
                if index >= len(files):
                    return None
                end = files[index].size
            file = files[index]
            start = max(0, end - most)
            content = file.read(start, end)
            if start:
                # A line that is longer than a piece is taken in parts.
                start += content.find(b"\n") + 1 if b"\n" in content[:-1] else 0
                content = content[start - end :]
            if place is None and b"\n" in content:
                content = content[: content.rfind(b"\n") + 1]  # the rest is being written
                end = start + len(content)
            older = start > 0 or index + 1 < len(files)
            newer = end < file.size or index > 0
            return Piece(content, Place(file.name, start), Place(file.name, end), older, newer)

    def after(self, place: Place, most: int) -> Piece:
        """Return at most so many bytes from a place on; raises GoneError."""
        with self._files(place) as files:
            index, start = _index(files, place), place.offset
            if start == files[index].size and index > 0:
                index, start = index - 1, 0
            file = files[index]
            content = file.read(start, min(file.size, start + most))
            being_written = index == 0 and start + len(content) == file.size
            if being_written or b"\n" in content:
                content = content[: content.rfind(b"\n") + 1]
            end = start + len(content)
            older = start > 0 or index + 1 < len(files)
            newer = not being_written
            return Piece(content, Place(file.name, start), Place(file.name, end), older, newer)

    @contextlib.contextmanager
    def _files(self, place: Place | None) -> Iterator[list[_File]]:
        """Open what there is, the newest first: what is open is not disturbed by a rotation."""
        with contextlib.ExitStack() as stack:
            files: list[_File] = []
            for look in range(_LOOKS):
                if look:
                    time.sleep(_LOOK_AGAIN_S)
                files = list(self._opened(stack))
                if place is None or any(file.name == place.file for file in files):
                    break
            yield files

    def _opened(self, stack: contextlib.ExitStack) -> Iterator[_File]:
        numbered = (self.path.with_name(f"{self.path.name}.{n + 1}") for n in range(OLDER_FILES))
        seen: set[str] = set()
        for path in (self.path, *numbered):
            try:
                handle = stack.enter_context(path.open("rb"))
            except FileNotFoundError:
                continue
            found = os.fstat(handle.fileno())
            first, ended, _ = handle.read(_FIRST_LINE).partition(b"\n")
            if not ended and len(first) < _FIRST_LINE:
                continue  # empty, or its first line is being written
            name = f"{found.st_ino:x}-{hashlib.sha256(first).hexdigest()[:16]}"
            if name not in seen:
                seen.add(name)
                yield _File(handle, name, found.st_size)


def _index(files: list[_File], place: Place | None) -> int:
    if place is None:
        return 0
    for index, file in enumerate(files):
        if file.name == place.file and place.offset <= file.size:
            return index
    raise GoneError(str(place))
