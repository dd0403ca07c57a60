"""Fillers: batches of records that take offsets and say nothing.

Sizes are powers of two, so that twenty-one compressed bodies, made once, are enough for any number;
what differs from batch to batch stands in the header.
"""

from __future__ import annotations

import asyncio
import time

from aiokafka import codec

from engine.kafka import batch as b
from engine.kafka import varint

LARGEST = 2**20
"""Records in the largest batch: 9.4 MB before, 0.8 MB after compression; a topic takes 1 MiB unless
its max.message.bytes is lower."""
BYTES_EACH = 0.82
"""Of a filler on the wire and on the target's disk; measured, in the largest batch."""

_ZSTD = 4
_PART = 16 * 1024
# Empty key, no value, no headers. A key, because compacted topics take no record without one.
_CONTENT = b"\x00\x01\x00"


class Fillers:
    """Makes filler batches; bodies are compressed in a thread, each size once."""

    def __init__(self) -> None:
        self._bodies: dict[int, bytes] = {}
        self._making = asyncio.Lock()

    async def batch(self, count: int, producer: tuple[int, int], sequence: int) -> bytearray:
        """Return a batch of `count` fillers, a power of two up to LARGEST."""
        out = bytearray(b.HEADER_SIZE)
        out += await self._body(count)
        now = int(time.time() * 1000)
        b.write_header(out, _ZSTD | b.TRANSACTIONAL, now, now, (*producer, sequence), count)
        return out

    async def _body(self, count: int) -> bytes:
        async with self._making:
            if count not in self._bodies:
                self._bodies[count] = await asyncio.to_thread(_compressed, count)
            return self._bodies[count]


def largest_batch(wanted: int, limit: int) -> int:
    """Return the size of the next batch where `wanted` fillers are left; a power of two."""
    return 1 << (min(wanted, limit).bit_length() - 1)


def _compressed(count: int) -> bytes:
    plain = bytearray()
    for first in range(0, count, _PART):  # a million small objects at once would take 50 MB
        plain += b"".join(map(_record, range(first, min(first + _PART, count))))
    records: bytes = codec.zstd_encode(bytes(plain))
    return records


def _record(number: int) -> bytes:
    delta = varint.encode(number)
    return varint.TABLE[len(delta) + 2 + len(_CONTENT)] + b"\0\0" + delta + _CONTENT
