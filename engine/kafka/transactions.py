"""One producer's transactions, as far as ccr needs them: begin, add a partition, abort.

Never committed: what ccr mirrors is not transactional; aborted transactions hold the fillers of
`engine.replication.identical`. The requests are aiokafka's, in their first versions, which every
broker since Kafka 0.11 takes. Protocol: KIP-98, KIP-890.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.transaction import (
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)

from engine.errors import KafkaError
from engine.kafka import codes
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.fetch import TopicPartition

TIMEOUT_MS = 60_000
"""After which a coordinator aborts a transaction by itself, whose producer is gone."""
ANSWER_WITHIN_S = 30.0
FIRST_PAUSE_S, MOST_PAUSE_S = 0.005, 0.5
_TRANSACTION = 1  # FindCoordinator's key type
_ABORT = False
_FENCED = frozenset(
    {
        Code.INVALID_PRODUCER_EPOCH,
        Code.INVALID_TXN_STATE,
        Code.INVALID_PRODUCER_ID_MAPPING,
        Code.PRODUCER_FENCED,
    }
)


class Transaction:
    """The transactions of one transactional id, one after the other.

    Every method raises ConnectError, and KafkaError: not retriable when a permission lacks, and
    retriable otherwise; then `begin` has to be called first.
    """

    def __init__(self, cluster: Cluster, transactional_id: str) -> None:
        self.id = transactional_id
        self.producer = (-1, -1)  # id, epoch
        self._cluster = cluster
        self._coordinator: int | None = None

    async def begin(self) -> None:
        """Fence whoever used the id before, abort what it left open, take its producer's place.

        When this returns the markers of what was left open stand in the logs.
        """
        response = await self._ask(
            lambda: InitProducerIdRequest(self.id, TIMEOUT_MS), lambda answer: answer.error_code
        )
        self.producer = response.producer_id, response.producer_epoch

    async def add(self, partition: TopicPartition) -> None:
        """Add a partition: from now on the transaction is open, and its end leaves a marker."""
        topic, number = partition
        await self._ask(
            lambda: AddPartitionsToTxnRequest(self.id, *self.producer, [(topic, [number])]),
            lambda answer: answer.errors[0][1][0][1],
            topic,
        )

    async def abort(self) -> None:
        """Abort; the markers are written soon after."""
        await self._ask(
            lambda: EndTxnRequest(self.id, *self.producer, _ABORT), lambda answer: answer.error_code
        )

    async def _ask(
        self, build: Callable[[], Any], error_of: Callable[[Any], int], topic: str = ""
    ) -> Any:
        """Ask the coordinator until it answers without an error that goes away by itself."""
        deadline = time.monotonic() + ANSWER_WITHIN_S
        pause = FIRST_PAUSE_S
        while True:
            node = await self._find(deadline)
            request = build()
            response = await self._cluster.request(request, node)
            error = error_of(response)
            if error == Code.NONE:
                return response
            if error in (Code.NOT_COORDINATOR, Code.COORDINATOR_NOT_AVAILABLE):
                self._coordinator = None
            if error not in codes.RETRIABLE or time.monotonic() > deadline:
                raise self._refused(type(request).__name__, error, topic)
            await asyncio.sleep(pause)
            pause = min(pause * 2, MOST_PAUSE_S)

    async def _find(self, deadline: float) -> int:
        pause = FIRST_PAUSE_S
        while self._coordinator is None:
            response = await self._cluster.request(FindCoordinatorRequest(self.id, _TRANSACTION))
            if response.error_code == Code.NONE:
                self._coordinator = response.coordinator_id
                break
            if response.error_code not in codes.RETRIABLE or time.monotonic() > deadline:
                raise self._refused("FindCoordinator", response.error_code)
            await asyncio.sleep(pause)
            pause = min(pause * 2, MOST_PAUSE_S)
        if self._coordinator not in self._cluster.brokers:
            await self._cluster.metadata([])
        return self._coordinator

    def _refused(self, request: str, error: int, topic: str = "") -> KafkaError:
        next_step = ""
        if error == Code.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            next_step = f"Grant WRITE on transactional id {self.id} (docs/permissions.md)"
        elif error in codes.AUTHORIZATION:
            next_step = f"Grant WRITE on topic {topic}"
        return KafkaError(
            "using transactional id",
            f"{self.id} on cluster {self._cluster.name}",
            f"{request.removesuffix('Request')}: {codes.name(error)}",
            next_step,
            retriable=error in codes.RETRIABLE or error in _FENCED,
        )
