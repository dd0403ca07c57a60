"""Keys and values of MirrorMaker 2's topics, byte for byte.

Kafka's protocol types, big-endian, without schema ids or envelopes: INT16, INT32, INT64, and STRING
(INT16 length, UTF-8; never null), as in
`clients/src/main/java/org/apache/kafka/common/protocol/types/Type.java`. A value that begins with a
version has version 0, the only one there is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_I16 = struct.Struct(">h")
_I32 = struct.Struct(">i")
_I64 = struct.Struct(">q")
_PAIR = struct.Struct(">qq")
_VERSION = 0
_MAX_STRING = 0x7FFF


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A heartbeat of a flow; `connect/mirror-client/…/mirror/Heartbeat.java`."""

    source: str
    target: str
    timestamp: int  # ms since the epoch

    def key(self) -> bytes:
        """Encode: STRING sourceClusterAlias, STRING targetClusterAlias. Raises ValueError."""
        return _string(self.source) + _string(self.target)

    def value(self) -> bytes:
        """Encode: INT16 version, INT64 timestamp."""
        return _I16.pack(_VERSION) + _I64.pack(self.timestamp)

    @classmethod
    def parse(cls, key: bytes, value: bytes) -> Heartbeat:
        """Decode; raises ValueError for what is no heartbeat."""
        names, content = _Reader(key), _versioned(value)
        return cls(names.string(), names.string(), content.i64())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A group's position, on both sides; `connect/mirror-client/…/mirror/Checkpoint.java`."""

    group: str
    topic: str  # on the target
    partition: int
    upstream: int  # source offset that the group committed
    downstream: int  # target offset to begin with
    metadata: str  # of the commit

    def key(self) -> bytes:
        """Encode: STRING group, STRING topic, INT32 partition. Raises ValueError."""
        return _string(self.group) + _string(self.topic) + _I32.pack(self.partition)

    def value(self) -> bytes:
        """Encode: INT16 version, INT64 upstreamOffset, INT64 offset, STRING metadata.

        Raises ValueError.
        """
        offsets = _PAIR.pack(self.upstream, self.downstream)
        return _I16.pack(_VERSION) + offsets + _string(self.metadata)

    @staticmethod
    def place(key: bytes) -> tuple[str, str, int]:
        """Decode a key: group, topic and partition on the target. Raises ValueError."""
        names = _Reader(key)
        return names.string(), names.string(), names.i32()

    @classmethod
    def parse(cls, key: bytes, value: bytes) -> Checkpoint:
        """Decode; raises ValueError for what is no checkpoint."""
        content = _versioned(value)
        return cls(*cls.place(key), content.i64(), content.i64(), content.string())


@dataclass(frozen=True, slots=True)
class OffsetSync:
    """A record's offset on both sides; `connect/mirror/…/mirror/OffsetSync.java`."""

    topic: str  # on the source
    partition: int
    upstream: int
    downstream: int

    def key(self) -> bytes:
        """Encode: STRING topic, INT32 partition. Raises ValueError."""
        return _string(self.topic) + _I32.pack(self.partition)

    def value(self) -> bytes:
        """Encode: INT64 upstreamOffset, INT64 offset; there is no version."""
        return _PAIR.pack(self.upstream, self.downstream)

    @staticmethod
    def place(key: bytes) -> tuple[str, int]:
        """Decode a key: topic and partition on the source. Raises ValueError."""
        names = _Reader(key)
        return names.string(), names.i32()

    @classmethod
    def parse(cls, key: bytes, value: bytes) -> OffsetSync:
        """Decode; raises ValueError for what is no offset sync."""
        content = _Reader(value)
        return cls(*cls.place(key), content.i64(), content.i64())


def _string(text: str) -> bytes:
    data = text.encode()
    if len(data) > _MAX_STRING:
        raise ValueError(f"{len(data)} bytes are more than a STRING takes")
    return _I16.pack(len(data)) + data


class _Reader:
    """Takes one value after the other; ValueError where there are too few bytes.

    What follows the last one is not looked at, as Kafka's classes do not.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if size < 0 or end > len(self._data):
            raise ValueError("it is cut off")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def i16(self) -> int:
        """Take an INT16."""
        return int.from_bytes(self._take(2), "big", signed=True)

    def i32(self) -> int:
        """Take an INT32."""
        return int.from_bytes(self._take(4), "big", signed=True)

    def i64(self) -> int:
        """Take an INT64."""
        return int.from_bytes(self._take(8), "big", signed=True)

    def string(self) -> str:
        """Take a STRING."""
        return self._take(self.i16()).decode()


def _versioned(value: bytes) -> _Reader:
    reader = _Reader(value)
    version = reader.i16()
    if version != _VERSION:
        raise ValueError(f"version {version} is not known")
    return reader
