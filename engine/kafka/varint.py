"""Zigzag varints as records use them (KIP-98, `ByteUtils.java`)."""

from __future__ import annotations


def _encode(value: int) -> bytes:
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError(f"{value} does not fit 64 bits")
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


# Deltas inside batches are mostly small: looking them up is what makes merging cheap.
TABLE_SIZE = 8192
TABLE = [_encode(value) for value in range(TABLE_SIZE)]


def encode(value: int) -> bytes:
    """Encode a signed 64-bit value; raises ValueError for any other."""
    return TABLE[value] if 0 <= value < TABLE_SIZE else _encode(value)


def decode(buffer: bytes | bytearray | memoryview, at: int) -> tuple[int, int]:
    """Decode the value at `at`; return it and the position after it.

    Raises IndexError past the end of the buffer and ValueError for more than 64 bits.
    """
    byte = buffer[at]
    at += 1
    value = byte & 0x7F
    shift = 7
    while byte & 0x80:
        if shift > 63:
            raise ValueError("varint longer than 10 bytes")
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
    if value >> 64:
        raise ValueError("varint longer than 64 bits")
    return (value >> 1) ^ -(value & 1), at
