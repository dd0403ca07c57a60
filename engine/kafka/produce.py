"""Produce requests around finished batches, and their answers.

Produce v8 (KIP-467: with the broker's own words when it refuses), or v7.
Format: `clients/src/main/resources/common/message/ProduceRequest.json` and `ProduceResponse.json`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from engine.kafka.wire import I32, Reader, string

API_KEY = 0
VERSIONS = (8, 7)  # best first

_HEAD = struct.Struct(">hii")  # acks, timeout ms, topics
_PARTITION = struct.Struct(">ii")  # partition, bytes
_ANSWER = struct.Struct(
    ">ihqqq"
)  # partition, error, base offset, log append time, log start offset

Payload = bytes | bytearray | memoryview


class Appended(NamedTuple):
    """One partition's answer."""

    topic: str
    partition: int
    error: int
    base_offset: int
    message: str


def request_body(
    batches: Sequence[tuple[str, int, Payload]],
    *,
    timeout_ms: int,
    transactional_id: str | None = None,
) -> list[Payload]:
    """Frame one batch a partition, (topic, partition, batch), without copying them; acks=all.

    `transactional_id`: of the producer whose open transaction they belong to.
    """
    by_topic: dict[str, list[tuple[int, Payload]]] = {}
    for topic, partition, batch in batches:
        by_topic.setdefault(topic, []).append((partition, batch))
    parts: list[Payload] = [string(transactional_id) + _HEAD.pack(-1, timeout_ms, len(by_topic))]
    for topic, partitions in by_topic.items():
        parts.append(string(topic) + I32.pack(len(partitions)))
        for partition, batch in partitions:
            parts.append(_PARTITION.pack(partition, len(batch)))
            parts.append(batch)
    return parts


def parse_response(frame: memoryview, version: int) -> list[Appended]:
    """Take an answer apart."""
    reader = Reader(frame, 4)
    answers = []
    for _ in range(reader.i32()):
        topic = reader.string() or ""
        for _ in range(reader.i32()):
            partition, error, base_offset, _, _ = _ANSWER.unpack_from(frame, reader.at)
            reader.at += _ANSWER.size
            message = _record_errors(reader) if version >= 8 else ""
            answers.append(Appended(topic, partition, error, base_offset, message))
    return answers


def throttle_ms(frame: memoryview) -> int:
    """Return for how long the broker answers nothing more on the connection (KIP-219)."""
    milliseconds: int = I32.unpack_from(frame, len(frame) - I32.size)[0]  # the last field
    return milliseconds


def _record_errors(reader: Reader) -> str:
    details = []
    for _ in range(reader.i32()):
        index = reader.i32()
        details.append(f"record {index}: {reader.string() or 'refused'}")
    message = reader.string()
    return "; ".join([message, *details[:3]] if message else details[:3])
