"""DeleteRecords (API 21): move the start of a log, on a data connection to its leader.

A broker answers once all live replicas have moved theirs, and answers nothing else on that
connection meanwhile; so it has no place on the connection that all other requests share. Version 1.
Format: `clients/src/main/resources/common/message/DeleteRecordsRequest.json`.
"""

from __future__ import annotations

import struct

from engine.errors import KafkaError
from engine.kafka import codes
from engine.kafka.codes import Code
from engine.kafka.connection import DataConnection
from engine.kafka.fetch import TopicPartition
from engine.kafka.wire import I32, Reader, string

API_KEY = 21
VERSION = 1
TIMEOUT_MS = 30_000
ANSWER_TIMEOUT_S = 40.0

_PARTITION = struct.Struct(">iiq")  # count, partition, offset


async def delete_records(
    connection: DataConnection, partition: TopicPartition, before_offset: int
) -> int:
    """Delete what stands before an offset; return where the log begins now.

    The connection is to the partition's leader. Deleting what is gone already is no error. Raises
    ConnectionLostError, and KafkaError (`retriable` as Kafka has it).
    """
    topic, number = partition
    body = b"".join(
        (
            I32.pack(1),
            string(topic),
            _PARTITION.pack(1, number, before_offset),
            I32.pack(TIMEOUT_MS),
        )
    )
    frame = await connection.send(API_KEY, VERSION, [body], ANSWER_TIMEOUT_S)
    start, error = _parse(frame, topic)
    if error != Code.NONE:
        raise KafkaError(
            "deleting records of",
            f"{topic}/{number} before offset {before_offset} at {connection.address}",
            codes.name(error),
            _remedy(error, topic),
            retriable=error in codes.RETRIABLE,
        )
    return start


def _parse(frame: memoryview, topic: str) -> tuple[int, int]:
    """Return the log's start and the error of the one partition that was asked about."""
    reader = Reader(frame, 8)  # after correlation id and throttle time
    try:
        reader.i32()
        reader.string()
        reader.i32()
        reader.i32()
        return reader.i64(), reader.i16()
    except struct.error as error:
        raise KafkaError(
            "deleting records of", topic, f"the broker's answer makes no sense: {error}"
        ) from error


def _remedy(error: int, topic: str) -> str:
    if error in codes.AUTHORIZATION:
        return f"Grant DELETE on topic {topic}"
    if error == Code.POLICY_VIOLATION:
        return (
            "Its cleanup.policy has to include delete meanwhile: grant ALTER_CONFIGS on topic "
            f"{topic}, or keep others from setting it"
        )
    return ""
