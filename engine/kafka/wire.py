"""Kafka's request framing for the few requests that the data path builds itself.

Header v1 (KIP-511 and before: api key, version, correlation id, client id) and v2 (plus tagged
fields). Names of structs follow the protocol guide's: INT16, INT32, STRING, ARRAY.
"""

from __future__ import annotations

import struct

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


def request_header(api_key: int, version: int, correlation_id: int) -> bytes:
    """Encode request header v1."""
    return _REQUEST.pack(api_key, version, correlation_id) + _CLIENT


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
