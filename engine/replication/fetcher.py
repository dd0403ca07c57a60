"""The fetcher: one to a source broker, one incremental fetch session, long polls.

Back-pressure works by partition: one that holds its share, or whose sender holds its own, is left
out of the session until it has let go. A stuck partition never holds up another.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable

from engine.errors import CcrError, ConfigError, ConnectError
from engine.kafka import codes, fetch
from engine.kafka.batch import PREFIX, PREFIX_SIZE
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.connection import ConnectionLostError, DataConnection
from engine.kafka.fetch import PartitionData, Position, TopicPartition
from engine.kafka.fetch_session import TopicFetchSession
from engine.replication.backoff import Backoff
from engine.replication.limiter import Limiter
from engine.replication.partition import MirrorPartition
from engine.replication.silence import Silence

log = logging.getLogger(__name__)

MAX_BYTES = 8 * 1024 * 1024
PARTITION_BYTES = 1024 * 1024
IDLE_WAIT_MS = 500
PRESSED_WAIT_MS = 10  # while partitions are left out: ask again soon
LIMIT_LOOK_S = 0.25  # a limit may be changed while it holds something up
LONG_WORK_BYTES = 64 * 1024
_SESSION_ENDED = (
    Code.FETCH_SESSION_ID_NOT_FOUND,
    Code.INVALID_FETCH_SESSION_EPOCH,
    Code.FETCH_SESSION_TOPIC_ID_ERROR,
)


class Fetcher:
    """Fetches the partitions of one source broker."""

    def __init__(
        self,
        cluster: Cluster,
        node: int,
        *,
        committed: bool,
        limiter: Limiter,
        admit: Callable[[MirrorPartition], bool],
        leader_moved: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self.node = node
        self._committed = committed
        self._limiter = limiter
        self._admit = admit
        self._leader_moved = leader_moved
        self._partitions: dict[TopicPartition, MirrorPartition] = {}
        self._session = TopicFetchSession()
        self._check: set[TopicPartition] = set()  # whether to fetch these has to be looked at
        self._pressed: set[TopicPartition] = set()  # left out, but not for long
        self._limited: set[TopicPartition] = set()  # left out until their topics' limit allows it
        self._limited_until = 0.0  # monotonic
        self._topic_sizes: dict[str, int] = {}  # partitions of each topic that this broker leads
        self._wake = asyncio.Event()
        self.trouble: CcrError | None = None
        self.silence = Silence(cluster.name)
        self.answered_at = 0.0
        self.throttled_at = 0.0  # monotonic; when a quota held it up last

    def assign(self, partitions: Iterable[MirrorPartition]) -> None:
        """Set which partitions this broker leads."""
        assigned = {partition.key: partition for partition in partitions}
        for key in self._partitions.keys() - assigned.keys():
            self._drop(key)
        self._check |= assigned.keys()
        self._partitions = assigned
        self._topic_sizes = Counter(topic for topic, _ in assigned)
        self._session.identify({p.topic: p.source_id for p in assigned.values()})
        self._wake.set()

    def seen_at(self, partition: MirrorPartition) -> float:
        """Return when a partition's source end was last seen, or known not to have changed."""
        if self._session.holds(partition.key):
            return max(partition.measures.observed_at, self.answered_at)
        return partition.measures.observed_at

    def _drop(self, key: TopicPartition) -> None:
        """Fetch a partition no more."""
        if key in self._partitions:
            self._partitions[key].measures.observed_at = self.seen_at(self._partitions[key])
        self._session.drop(key)

    def check(self, partition: MirrorPartition) -> None:
        """A partition may be wanted again, or no more."""
        if partition.key in self._partitions:
            self._check.add(partition.key)
            self._wake.set()

    def poke(self) -> None:
        """Something was let go: partitions that were left out may be wanted again."""
        if self._pressed:
            self._wake.set()

    async def run(self) -> None:
        """Fetch until cancelled; connects again by itself."""
        backoff = Backoff()
        while True:
            connection = None
            try:
                connection = await self._cluster.data_connection(self.node)
                self.silence.connection = connection
                self.trouble = None
                backoff.reset()
                for partition in self._partitions.values():
                    partition.measures.observed_at = self.seen_at(partition)
                self._session.reset()
                await self._fetch_all(connection)
                continue  # on a new connection
            except (ConnectError, ConfigError) as error:
                self._failed(error)
            except (ConnectionLostError, struct.error, IndexError, UnicodeDecodeError) as error:
                self._failed(ConnectError("fetching from cluster", self._cluster.name, str(error)))
            finally:
                self.silence.connection = None
                if connection is not None:
                    connection.abort("closed by ccr")
            await backoff.sleep()

    def _failed(self, error: CcrError) -> None:
        self.trouble = error
        self._leader_moved()

    async def _fetch_all(self, connection: DataConnection) -> None:
        """Fetch until the connection retires."""
        while True:
            await self._may_ask(connection)
            self._update_session()
            while not len(self._session):
                await self._woken()
                self._update_session()
            if connection.retires:
                return
            frame = await self._fetch_once(connection)
            response = self._session.parse(frame)
            if response.error in _SESSION_ENDED:
                self._session.reset()
                continue
            if response.error != Code.NONE:
                raise ConnectionLostError(
                    f"the broker answered Fetch with {codes.name(response.error)}"
                )
            self._session.answered(response.session_id)
            self.answered_at = time.time()
            if response.throttle_ms > 0:
                connection.throttled(response.throttle_ms)
                self.throttled_at = time.monotonic()
            for data in response.partitions:
                if self._limiter.limits:
                    self._limiter.took(data.topic, _whole_bytes(frame, data))
                self._deliver(frame, data)
                if data.end - data.start > LONG_WORK_BYTES:
                    await asyncio.sleep(0)  # let acknowledgements in between

    async def _may_ask(self, connection: DataConnection) -> None:
        """Wait until the broker's quota and the flow's limit allow a request."""
        if connection.throttle_left:
            await asyncio.sleep(connection.throttle_left)
        while wait := self._limiter.flow_wait():  # noqa: ASYNC110  (time passes, nobody tells)
            await asyncio.sleep(min(wait, LIMIT_LOOK_S))

    async def _woken(self) -> None:
        """Wait until there may be something to fetch."""
        self._wake.clear()
        left = self._limited_until - time.monotonic() if self._limited else None
        try:
            async with asyncio.timeout(left):
                await self._wake.wait()
        except TimeoutError:
            return  # a limit allows more

    @property
    def _wait_ms(self) -> int:
        """How long the broker may wait for records."""
        if self._pressed:
            return PRESSED_WAIT_MS
        if self._limited:
            left = int(1000 * (self._limited_until - time.monotonic())) + 1
            return min(max(left, 1), IDLE_WAIT_MS)
        return IDLE_WAIT_MS

    async def _fetch_once(self, connection: DataConnection) -> memoryview:
        version, body = self._session.request(
            connection,
            isolation=fetch.READ_COMMITTED if self._committed else fetch.READ_UNCOMMITTED,
            max_wait_ms=self._wait_ms,
            max_bytes=self._limiter.fetch_bytes(MAX_BYTES),
            partition_max_bytes=self._limiter.fetch_bytes(PARTITION_BYTES),
        )
        limit = self._cluster.config.request_timeout
        return await connection.send(fetch.API_KEY, version, [body], limit)

    def _update_session(self) -> None:
        check, self._check = self._check | self._pressed, set()
        if self._limited and self._limited_until <= time.monotonic():
            check |= self._limited
            self._limited = set()
        for key in check:
            self._pressed.discard(key)
            partition = self._partitions.get(key)
            if partition is not None and self._admit(partition):
                self._want(partition)
                continue
            self._drop(key)
            if partition is not None and partition.soon_wanted:
                self._pressed.add(key)

    def _want(self, partition: MirrorPartition) -> None:
        """Fetch a partition, or leave it out until its topic's limit allows more."""
        key, most = partition.key, 0
        if self._limiter.limits:
            wait = self._limiter.topic_wait(partition.topic)
            if wait:
                self._leave_out(key, min(wait, LIMIT_LOOK_S))
                return
            most = self._limiter.partition_bytes(
                partition.topic, self._topic_sizes[partition.topic], PARTITION_BYTES
            )
        self._session.want(key, Position(partition.position, partition.source_epoch, most))

    def _leave_out(self, key: TopicPartition, seconds: float) -> None:
        until = time.monotonic() + seconds
        self._limited_until = min(self._limited_until, until) if self._limited else until
        self._limited.add(key)
        self._drop(key)

    def _deliver(self, frame: memoryview, data: PartitionData) -> None:
        key = data.topic, data.partition
        partition = self._partitions.get(key)
        if partition is None:
            return
        self._check.add(key)
        if data.error != Code.NONE:
            self._partition_failed(partition, data)
            return
        partition.observe(data, committed=self._committed, now=self.answered_at)
        asked = self._session.asked.get(key)
        if asked is None or asked.offset != partition.position:
            return  # it went elsewhere meanwhile
        if data.diverging is not None:
            partition.diverges(data.diverging)
        elif data.end > data.start:
            partition.take(frame, data, committed=self._committed)

    def _partition_failed(self, partition: MirrorPartition, data: PartitionData) -> None:
        words = codes.name(data.error)
        if data.error == Code.OFFSET_OUT_OF_RANGE:
            partition.out_of_range()
        elif data.error in codes.RETRIABLE:
            # Asked again when the leaders were looked up (`assign`), not at once.
            self._session.drop(partition.key)
            self._check.discard(partition.key)
            self._leader_moved()
            partition.source_refused(f"the source answered {words}")
        else:
            remedy = (
                f"Grant READ on {partition.topic}, then ccr retry"
                if data.error == Code.TOPIC_AUTHORIZATION_FAILED
                else "Remove the cause on the source, then ccr retry"
            )
            partition.stop_after_held(
                f"cluster {self._cluster.name} answered {words} to reading {partition.topic}",
                remedy,
            )


def _whole_bytes(frame: memoryview, data: PartitionData) -> int:
    """Count the bytes of the batches that came whole; one that was cut off is fetched again."""
    at = data.start
    while at + PREFIX_SIZE <= data.end:
        size = PREFIX_SIZE + PREFIX.unpack_from(frame, at)[1]
        if size <= PREFIX_SIZE or at + size > data.end:
            break
        at += size
    return at - data.start
