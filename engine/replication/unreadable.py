"""Finding the batch that stopped a pump, and where the log goes on behind it."""

from __future__ import annotations

import struct

from engine.kafka import batch as b
from engine.kafka import legacy
from engine.kafka import records as r
from engine.replication.pump import DisorderError
from engine.replication.troubles import Unreadable


def find_unreadable(view: memoryview, position: int, error: Exception) -> Unreadable:
    """Return what the record set `view` has for `position`, which failed with `error`.

    Base offset and length stand outside a batch's CRC, so the next batch tells best where this one
    ends; its own header is believed only where its CRC is right. The offset of messages compressed
    together in format 0 or 1 is that of the last: what comes next does not tell where they begin.
    """
    why = f"the source's batch at offset {position} cannot be read: {error}"
    if isinstance(error, DisorderError):  # any of them may be the wrong one
        return Unreadable(position, None, why, bytes(view))
    at = 0
    while at + b.PREFIX_SIZE <= len(view):
        base, length = b.PREFIX.unpack_from(view, at)
        end = at + b.PREFIX_SIZE + length
        if length <= 0 or end > len(view):
            break
        following = _base_offset(view, end)
        old = legacy.is_legacy(view, at, end)
        if base >= position or (not old and (following is None or following > position)):
            batch = bytes(view[at:end])
            behind = following if following is not None else _own_next_offset(batch)
            known = behind if behind is not None and behind > position else None
            return Unreadable(max(base, position), known, why, batch)
        at = end
    return Unreadable(position, None, why, bytes(view[at:]))


def _base_offset(view: memoryview, at: int) -> int | None:
    if at + b.PREFIX_SIZE > len(view):
        return None
    if legacy.is_legacy(view, at, len(view)) and legacy.is_compressed(view, at):
        return None
    base: int = b.PREFIX.unpack_from(view, at)[0]
    return base


def _own_next_offset(batch: bytes) -> int | None:
    view = memoryview(batch)
    if legacy.is_legacy(view, 0, len(view)):
        return legacy.next_offset_of(batch)
    try:
        header = r.read_header(view)
        b.check_crc(view, 0, len(batch), header.crc)
    except (struct.error, ValueError):
        return None
    return header.next_offset if header.magic == 2 else None
