"""ListTransactions and DescribeTransactions (KIP-664, APIs 66 and 65): which transactions are open.

Not in aiokafka, so the structs stand here, in aiokafka's own form, version 0 of both. Formats:
`clients/src/main/resources/common/message/ListTransactionsRequest.json`,
`DescribeTransactionsRequest.json` and their responses. Every broker knows those that it coordinates
and that we have DESCRIBE on; others are not told of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from engine.errors import KafkaError
from engine.kafka import codes
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.fetch import TopicPartition

OPEN = ("Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence")
"""States in which a marker is still to come (TransactionState.java)."""
_TEXT = CompactString("utf-8")
_AT_ONCE = 500  # transactions in one request


class ListTransactionsResponse(Response):  # type: ignore[misc]
    """Version 0."""

    API_KEY = 66
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("unknown_state_filters", CompactArray(_TEXT)),
        (
            "transactions",
            CompactArray(
                ("transactional_id", _TEXT),
                ("producer_id", Int64),
                ("state", _TEXT),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _ListStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 66
    API_VERSION = 0
    RESPONSE_TYPE = ListTransactionsResponse
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        ("state_filters", CompactArray(_TEXT)),
        ("producer_id_filters", CompactArray(Int64)),
        ("tags", TaggedFields),
    )


class ListTransactionsRequest(Request[_ListStruct]):  # type: ignore[misc]
    """Ask a broker for the transactions in some states that it coordinates."""

    API_KEY = 66

    def __init__(self, states: Sequence[str]) -> None:
        self._states = states

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class(list(self._states), [], {})


class DescribeTransactionsResponse(Response):  # type: ignore[misc]
    """Version 0."""

    API_KEY = 65
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "transactions",
            CompactArray(
                ("error_code", Int16),
                ("transactional_id", _TEXT),
                ("state", _TEXT),
                ("timeout_ms", Int32),
                ("start_time_ms", Int64),
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                (
                    "topics",
                    CompactArray(
                        ("topic", _TEXT),
                        ("partitions", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _DescribeStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 65
    API_VERSION = 0
    RESPONSE_TYPE = DescribeTransactionsResponse
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(("transactional_ids", CompactArray(_TEXT)), ("tags", TaggedFields))


class DescribeTransactionsRequest(Request[_DescribeStruct]):  # type: ignore[misc]
    """Ask a coordinator for its transactions by their ids."""

    API_KEY = 65

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = ids

    def build(self, request_struct_class: type[Any]) -> Any:
        """Build the struct for the version that was agreed on."""
        return request_struct_class(list(self._ids), {})


@dataclass(frozen=True, slots=True)
class TransactionState:
    """A transaction as its coordinator has it."""

    transactional_id: str
    state: str
    producer_id: int
    epoch: int
    started_ms: int
    """In ms since 1970, by the coordinator's clock; -1 when it has not begun."""
    timeout_ms: int
    partitions: frozenset[TopicPartition]
    """That a marker is to be written to."""


async def open_transactions(cluster: Cluster) -> list[TransactionState]:
    """Return the open transactions that the cluster's brokers tell us of.

    Raises ConnectError when a broker cannot be asked, and KafkaError (before Kafka 3.0, too).
    """
    nodes = sorted((await cluster.metadata([])).brokers)
    found = await asyncio.gather(*(_of_broker(cluster, node) for node in nodes))
    return [transaction for each in found for transaction in each]


async def _of_broker(cluster: Cluster, node: int) -> list[TransactionState]:
    answer = await cluster.request(ListTransactionsRequest(OPEN), node)
    if answer.error_code != Code.NONE:
        raise KafkaError(
            "listing the transactions of cluster", f"{cluster.name}, broker {node}",
            codes.name(answer.error_code), retriable=answer.error_code in codes.RETRIABLE,
        )  # fmt: skip
    ids = [each[0] for each in answer.transactions]
    found: list[TransactionState] = []
    for at in range(0, len(ids), _AT_ONCE):
        described = await cluster.request(
            DescribeTransactionsRequest(ids[at : at + _AT_ONCE]), node
        )
        found += _parsed(described.transactions)
    return found


def _parsed(rows: Iterable[Any]) -> Iterable[TransactionState]:
    """Take what is still open; what ended since it was listed is left out."""
    for error, name, state, timeout, started, producer, epoch, topics, _ in rows:
        if error == Code.NONE and state in OPEN:
            partitions = frozenset(
                (topic, partition) for topic, partitions, _ in topics for partition in partitions
            )
            yield TransactionState(name, state, producer, epoch, started, timeout, partitions)
