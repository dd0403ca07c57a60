"""Kafka's request framing for the few requests that the data path builds itself.

Header v1 (KIP-511 and before: api key, version, correlation id, client id) and v2 (plus tagged
fields). Names of structs follow the protocol guide's: INT16, INT32, STRING, ARRAY.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.protocol.types import AbstractType

_I8 = struct.Struct(">b")
I16 = struct.Struct(">h")
I32 = struct.Struct(">i")
I64 = struct.Struct(">q")
_REQUEST = struct.Struct(">hhi")

CLIENT_ID = "ccr"


def string(text: str | None) -> bytes:
    """Encode a NULLABLE_STRING."""
    if text is None:
        return b"\xff\xff"
    data = text.encode()
    return I16.pack(len(data)) + data


_CLIENT = string(CLIENT_ID)


# The first flexible version of the requests that are framed here.
_FLEXIBLE_FROM = {0: 9, 1: 12}  # Produce, Fetch


def request_header(api_key: int, version: int, correlation_id: int) -> bytes:
    """Encode request header v1, or v2 for a flexible version."""
    header = _REQUEST.pack(api_key, version, correlation_id) + _CLIENT
    return header + b"\0" if version >= _FLEXIBLE_FROM.get(api_key, version + 1) else header


class Reader:
    """Reads a response front to back. For small responses; the fetch parser works on offsets."""

    __slots__ = ("at", "view")

    def __init__(self, view: memoryview, at: int = 0) -> None:
        self.view = view
        self.at = at

    def i16(self) -> int:
        """Read an INT16."""
        value: int = I16.unpack_from(self.view, self.at)[0]
        self.at += 2
        return value

    def i32(self) -> int:
        """Read an INT32."""
        value: int = I32.unpack_from(self.view, self.at)[0]
        self.at += 4
        return value

    def i64(self) -> int:
        """Read an INT64."""
        value: int = I64.unpack_from(self.view, self.at)[0]
        self.at += 8
        return value

    def string(self) -> str | None:
        """Read a NULLABLE_STRING."""
        length = self.i16()
        if length < 0:
            return None
        text = bytes(self.view[self.at : self.at + length]).decode()
        self.at += length
        return text


class CompactReader(Reader):
    """Reads a response of a flexible version (KIP-482): unsigned varints, compact types, tags."""

    __slots__ = ()

    def i8(self) -> int:
        """Read an INT8 or a BOOLEAN."""
        value: int = _I8.unpack_from(self.view, self.at)[0]
        self.at += 1
        return value

    def uvarint(self) -> int:
        """Read an UNSIGNED_VARINT."""
        view, at = self.view, self.at
        byte = view[at]
        at += 1
        value = byte & 0x7F
        shift = 7
        while byte & 0x80:
            if shift > 28:
                raise IndexError("unsigned varint longer than 5 bytes")
            byte = view[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
        self.at = at
        return value

    def length(self) -> int:
        """Read a compact array's length; 0 for null."""
        return max(self.uvarint() - 1, 0)

    def string(self) -> str | None:
        """Read a COMPACT_NULLABLE_STRING."""
        length = self.uvarint() - 1
        if length < 0:
            return None
        end = self.at + length
        if end > len(self.view):
            raise IndexError("a string reaches past its frame")
        text = str(self.view[self.at : end], "utf-8")
        self.at = end
        return text

    def uuid(self) -> UUID:
        """Read a UUID."""
        end = self.at + 16
        if end > len(self.view):
            raise IndexError("a UUID reaches past its frame")
        value = UUID(bytes=bytes(self.view[self.at : end]))
        self.at = end
        return value

    def skip_i32s(self) -> int:
        """Pass over a COMPACT_ARRAY of INT32; return its length."""
        count = self.length()
        self.at += 4 * count
        if self.at > len(self.view):
            raise IndexError("an array reaches past its frame")
        return count

    def tags(self) -> None:
        """Pass over tagged fields."""
        for _ in range(self.uvarint()):
            self.uvarint()
            size = self.uvarint()
            self.at += size


class Uuid(AbstractType[UUID]):  # type: ignore[misc]
    """UUID in aiokafka's form: 16 bytes."""

    @classmethod
    def encode(cls, value: UUID) -> bytes:
        """Encode it."""
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        """Decode it."""
        return UUID(bytes=data.read(16))

    @classmethod
    def repr(cls, value: Any) -> str:
        """Show it."""
        return str(value)


def uvarint(value: int) -> bytes:
    """Encode an UNSIGNED_VARINT."""
    out = bytearray()
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def compact_string(text: str) -> bytes:
    """Encode a COMPACT_STRING."""
    data = text.encode()
    return uvarint(len(data) + 1) + data
