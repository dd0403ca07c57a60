"""A cluster as the engine uses it: requests to its brokers by aiokafka, and data connections.

Every method raises ConnectError when the cluster (or the broker that is needed) cannot be reached
and KafkaError when a broker refuses.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import errors as kafka_errors
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from engine.config.cluster_section import ClusterConfig
from engine.errors import ConfigError, ConnectError, KafkaError
from engine.kafka import codes
from engine.kafka.codes import Code
from engine.kafka.connection import ConnectionLostError, DataConnection, adopt
from engine.kafka.describe_producers import DescribeProducersRequest, ProducerState
from engine.kafka.dialing import BrokerFacts, Connection, Dialer
from engine.kafka.fetch import TopicPartition
from engine.kafka.metadata import NO_LEADER, ClusterMetadata, MetadataRequest, MetadataResponse
from engine.kafka.tls import CertificateFacts

LATEST, EARLIEST = -1, -2  # ListOffsets' timestamps
AS_CONSUMER, AS_DEBUGGER = -1, -2  # ListOffsets' replicas: up to the high watermark, or all

INIT_PRODUCER_ID_TRIES = 60
RETRY_S = 0.5


class Cluster:
    """Requests to one cluster, one connection a broker; data connections are the caller's."""

    def __init__(self, name: str, config: ClusterConfig) -> None:
        self.name = name
        self.config = config
        self.brokers: dict[int, tuple[str, int]] = {}
        self._dialer: Dialer | None = None
        self._preparing = asyncio.Lock()  # secrets and certificates are read by one at a time
        self._connections: dict[tuple[str, int], Connection] = {}
        # One an address: a broker that swallows connections must hold up nobody else's.
        self._dialing: dict[tuple[str, int], asyncio.Lock] = {}
        self._retired: set[Connection] = set()
        # By whether all topics were asked for: what is told again need not be read again.
        self._last_metadata: dict[bool, tuple[MetadataResponse, ClusterMetadata]] = {}

    async def close(self) -> None:
        """Close the request connections."""
        connections = [*self._connections.values(), *self._retired]
        self._connections, self._retired = {}, set()
        for connection in connections:
            closing = connection.close()
            if closing is not None:
                await asyncio.wait([closing], timeout=1)

    # connections

    def renew(self) -> None:
        """Read secrets and certificates again before the next connection is made."""
        if self._dialer is not None:
            self._dialer.stale = True

    async def _dialer_ready(self) -> Dialer:
        async with self._preparing:
            if self._dialer is None:
                self._dialer = await Dialer.create(self.name, self.config)
            elif self._dialer.stale:
                try:
                    self._dialer = await Dialer.create(self.name, self.config)
                except ConfigError as error:  # it was right once: it is tried again
                    raise ConnectError(
                        error.operation, error.object, error.cause, error.next_step
                    ) from error
            return self._dialer

    async def _connection(self, address: tuple[str, int]) -> Connection:
        async with self._dialing.setdefault(address, asyncio.Lock()):
            connection = self._connections.get(address)
            if connection is not None and connection.connected():
                if not connection.retires:
                    return connection
                self._retire(connection)
            dialer = await self._dialer_ready()
            connection = await dialer.dial(*address)
            self._connections[address] = connection
            return connection

    def _retire(self, connection: Connection) -> None:
        """Close a connection once nobody can wait for an answer on it any more."""

        def close() -> None:
            self._retired.discard(connection)
            connection.close()

        self._retired.add(connection)
        asyncio.get_running_loop().call_later(self.config.request_timeout, close)

    def _addresses(self) -> list[tuple[str, int]]:
        bootstrap = [server.rpartition(":") for server in self.config.bootstrap_servers]
        seeds = [(host.strip("[]"), int(port)) for host, _, port in bootstrap]
        known = [address for address in self._connections if self._connections[address].connected()]
        return list(dict.fromkeys([*known, *self.brokers.values(), *seeds]))

    async def _any_connection(self) -> Connection:
        failure: ConnectError | None = None
        for address in self._addresses():
            try:
                return await self._connection(address)
            except ConnectError as error:
                failure = error
        raise failure or ConnectError("connecting to cluster", self.name, "it has no known broker")

    async def _node_connection(self, node: int) -> Connection:
        if node not in self.brokers:
            raise ConnectError(
                "connecting to cluster", self.name, f"broker {node} is not known (no leader yet?)"
            )
        return await self._connection(self.brokers[node])

    async def data_connection(self, node: int) -> DataConnection:
        """Open a data connection to a broker by its node id."""
        if node not in self.brokers:
            raise ConnectError(
                "connecting to cluster", self.name, f"broker {node} is not known (no leader yet?)"
            )
        dialer = await self._dialer_ready()
        try:
            return adopt(await dialer.dial(*self.brokers[node]))
        except ConnectionLostError as error:
            raise ConnectError("connecting to cluster", self.name, str(error)) from error

    async def request(self, request: Any, node: int | None = None) -> Any:
        """Send an aiokafka request to a broker, or to any; return aiokafka's response."""
        connection = await (self._any_connection() if node is None else self._node_connection(node))
        try:
            return await connection.send(request)
        except (kafka_errors.KafkaConnectionError, OSError, EOFError, TimeoutError) as error:
            connection.close()
            raise ConnectError(
                "asking cluster",
                f"{self.name} at {connection.host}:{connection.port}",
                f"{_name(request)} was not answered ({error or type(error).__name__})",
            ) from error
        except (kafka_errors.IncompatibleBrokerVersion, NotImplementedError) as error:
            raise KafkaError(
                "asking cluster", self.name, f"the broker is too old or too new: {error}"
            ) from error

    async def broker_facts(self, node: int) -> BrokerFacts:
        """Connect to a broker by its node id; return what it tells of itself while doing so."""
        return (await self._node_connection(node)).facts

    @property
    def versions(self) -> Mapping[int, tuple[int, int]]:
        """What a broker that is connected to speaks, by API key; empty when none is."""
        for connection in self._connections.values():
            if connection.connected():
                return connection.facts.versions
        return {}

    async def login(self) -> tuple[str, CertificateFacts | None]:
        """Return who we log in as, in words, and our certificate. Raises ConfigError too."""
        dialer = await self._dialer_ready()
        return dialer.login, dialer.tls.own if dialer.tls else None

    # what the data path asks

    async def metadata(
        self, topics: Iterable[str] | None = None, *, operations: bool = False
    ) -> ClusterMetadata:
        """Describe the cluster: all topics (None) or some; never creates any.

        `operations`: with what we are allowed to do with each.
        """
        answer = await self.request(MetadataRequest(topics, operations=operations))
        last = self._last_metadata.get(topics is None)
        if last is not None and last[0].payload == answer.payload:
            return last[1]
        try:
            metadata: ClusterMetadata = answer.parse()
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise KafkaError(
                "asking cluster", self.name, f"its answer to Metadata makes no sense: {error}"
            ) from error
        self._last_metadata[topics is None] = answer, metadata
        if metadata.brokers:
            self.brokers = metadata.brokers
        return metadata

    async def list_offsets(
        self,
        wanted: Mapping[TopicPartition, int],
        metadata: ClusterMetadata,
        *,
        isolation: int = 0,
        replica: int = AS_CONSUMER,
    ) -> dict[TopicPartition, int]:
        """Look offsets up by timestamp in ms, LATEST or EARLIEST.

        Partitions that have no leader, or whose leader does not answer, are left out; -1 means that
        no record is that young. LATEST is the high watermark; AS_DEBUGGER, the log's end.
        """
        by_leader: dict[int, dict[str, list[tuple[int, int]]]] = {}
        for (topic, partition), timestamp in wanted.items():
            leader = metadata.leader(topic, partition)
            if leader != NO_LEADER:
                row = partition, timestamp
                by_leader.setdefault(leader, {}).setdefault(topic, []).append(row)
        return _found_offsets(
            await self._ask_each(
                {
                    leader: OffsetRequest(replica, isolation, list(topics.items()))
                    for leader, topics in by_leader.items()
                }
            )
        )

    async def _ask_each(self, requests: Mapping[int, Any]) -> list[Any]:
        """Ask brokers, each its own; leave out who cannot be reached, unless it is all of them."""
        answers = await asyncio.gather(
            *(self.request(request, node) for node, request in requests.items()),
            return_exceptions=True,
        )
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        for failure in failures:
            if not isinstance(failure, ConnectError) or len(failures) == len(answers):
                raise failure
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    async def init_producer_id(self) -> tuple[int, int]:
        """Obtain a new producer id and its epoch.

        A newly started broker answers with a retriable error for a few seconds; it is asked again.
        """
        for _ in range(INIT_PRODUCER_ID_TRIES):
            response = await self.request(InitProducerIdRequest(None, 60_000))
            if response.error_code == Code.NONE:
                return response.producer_id, response.producer_epoch
            if response.error_code not in codes.RETRIABLE:
                break
            await asyncio.sleep(RETRY_S)
        raise KafkaError(
            "obtaining a producer id from cluster",
            self.name,
            codes.name(response.error_code),
            "Grant IDEMPOTENT_WRITE on the cluster (or WRITE on the topics, Kafka 2.8 and later)"
            if response.error_code == Code.CLUSTER_AUTHORIZATION_FAILED
            else "",
        )

    async def describe_producers(
        self, partitions: Iterable[TopicPartition], metadata: ClusterMetadata
    ) -> dict[TopicPartition, dict[int, ProducerState] | KafkaError]:
        """Ask the leaders for the producers they hold, by producer id (KIP-664, Kafka 2.8).

        A partition that we may not ask about has its error. Partitions that have no leader, or
        whose leader does not answer, are left out.
        """
        by_leader: dict[int, dict[str, list[int]]] = {}
        for topic, partition in partitions:
            leader = metadata.leader(topic, partition)
            if leader != NO_LEADER:
                by_leader.setdefault(leader, {}).setdefault(topic, []).append(partition)
        found: dict[TopicPartition, dict[int, ProducerState] | KafkaError] = {}
        for response in await self._ask_each(
            {leader: DescribeProducersRequest(topics) for leader, topics in by_leader.items()}
        ):
            for topic, answers, _ in response.topics:
                for partition, error, _message, producers, _tags in answers:
                    if error == Code.NONE:
                        found[topic, partition] = {
                            p[0]: ProducerState(p[0], p[1], p[2], p[3], p[5]) for p in producers
                        }
                    elif error in codes.AUTHORIZATION:
                        found[topic, partition] = KafkaError(
                            "looking at",
                            f"{topic}/{partition} on cluster {self.name}",
                            codes.name(error),
                            f"Grant READ on topic {topic}",
                        )
        return found


def _found_offsets(responses: Iterable[Any]) -> dict[TopicPartition, int]:
    return {
        (topic, partition): offset
        for response in responses
        for topic, partitions in response.topics
        for partition, error, _, offset in partitions
        if error == Code.NONE
    }


def _name(request: Any) -> str:
    return type(request).__name__.removesuffix("Request")
