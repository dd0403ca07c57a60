"""Who writes to partitions, and which transactions are open there: what brokers tell of it.

DescribeProducers tells producer ids, to whoever may READ the topic; ListTransactions tells the
transactional ids behind them, to whoever may DESCRIBE those.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from engine.errors import ConnectError, KafkaError
from engine.kafka.cluster import Cluster
from engine.kafka.describe_producers import ProducerState
from engine.kafka.fetch import TopicPartition
from engine.kafka.list_transactions import TransactionState, open_transactions
from engine.kafka.metadata import ClusterMetadata
from engine.runbook.leaders import ANSWER_S, ask_leaders
from engine.runbook.standing_facts import OpenTransaction, Writer

_Producers = Mapping[int, ProducerState]
_Told = _Producers | KafkaError


class Writers:
    """What is known of the producers of some partitions of one cluster."""

    def __init__(self, source: Cluster) -> None:
        self._source = source
        self._first: dict[TopicPartition, _Producers] = {}
        self._now: dict[TopicPartition, _Producers] = {}
        self._coordinated: list[TransactionState] = []
        self._not_told: dict[str, str] = {}

    @property
    def not_told(self) -> str:
        """Why some cannot be named, with what to do; empty when all can."""
        return "; ".join(self._not_told.values())

    async def look(self, partitions: Collection[TopicPartition], metadata: ClusterMetadata) -> None:
        """Ask for the producers of partitions."""

        async def ask(keys: list[TopicPartition]) -> Mapping[TopicPartition, _Told]:
            return await self._source.describe_producers(keys, metadata)

        try:
            answers = await ask_leaders(partitions, metadata, ask)
        except KafkaError as error:  # before Kafka 2.8
            self._not_told["producers"] = f"producers cannot be named: {error.cause}"
            return
        self._not_told.pop("producers", None)
        for key, answer in answers.items():
            if isinstance(answer, KafkaError):
                words = f"producers cannot be named: {answer.cause}. {answer.next_step}"
                self._not_told["producers"] = words
                continue
            self._first.setdefault(key, answer)
            self._now[key] = answer

    async def look_for_transactions(self) -> None:
        """Ask the coordinators for the open transactions; names are missing while one is away."""
        try:
            async with asyncio.timeout(ANSWER_S):
                self._coordinated = await open_transactions(self._source)
        except (TimeoutError, ConnectError):
            return
        except KafkaError as error:
            if not error.retriable:  # before Kafka 3.0
                words = f"transactional ids cannot be named: {error.cause}"
                self._not_told["transactions"] = words

    def wrote(self, partition: TopicPartition) -> tuple[Writer, ...]:
        """Return the producers that wrote there since the first look, youngest write first."""
        before = self._first.get(partition, {})
        found = [
            Writer(each.producer_id, each.epoch, each.last_sequence, each.last_timestamp)
            for each in self._now.get(partition, {}).values()
            if _position(before.get(each.producer_id)) != _position(each)
        ]
        return tuple(sorted(found, key=lambda writer: -writer.last_write_ms))

    def transactions(self, unstable: Iterable[TopicPartition]) -> tuple[OpenTransaction, ...]:
        """Return the open transactions that hold partitions, the oldest first."""
        found: dict[int, OpenTransaction] = {}
        for partition in unstable:
            for each in self._now.get(partition, {}).values():
                start = each.current_txn_start_offset
                if start < 0:
                    continue
                known = found.get(each.producer_id)
                found[each.producer_id] = OpenTransaction(
                    each.producer_id,
                    each.epoch,
                    {**(known.partitions if known else {}), partition: start},
                    max(known.last_write_ms if known else -1, each.last_timestamp),
                )
        told = [self._as_coordinated(each) for each in found.values()]
        return tuple(sorted(told, key=lambda each: (-(each.age_s or 0), each.last_write_ms)))

    def _as_coordinated(self, found: OpenTransaction) -> OpenTransaction:
        for each in self._coordinated:
            if each.producer_id == found.producer_id:
                began = each.started_ms
                return replace(
                    found,
                    transactional_id=each.transactional_id,
                    state=each.state,
                    age_s=max(0.0, time.time() - began / 1000) if began >= 0 else None,
                    timeout_s=each.timeout_ms / 1000,
                )
        return found


def _position(state: ProducerState | None) -> tuple[int, int, int] | None:
    """What changes with every batch that a producer writes."""
    return state and (state.epoch, state.last_sequence, state.last_timestamp)
