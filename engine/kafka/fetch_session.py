"""A fetch session (KIP-227) that asks by topic id where broker and cluster know them (KIP-516)."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from engine.kafka import fetch, fetch_by_id
from engine.kafka.connection import DataConnection
from engine.kafka.fetch import FetchResponse, FetchSession, Position, TopicPartition
from engine.kafka.metadata import NO_TOPIC_ID


class TopicFetchSession(FetchSession):
    """Tells a broker what changed in the version that it speaks, and reads its answers."""

    def __init__(self) -> None:
        super().__init__()
        self._ids: dict[str, UUID] = {}
        self._names: dict[UUID, str] = {}
        self._by_id = False
        self._renew = False
        self.asked: dict[TopicPartition, Position] = {}  # where each was asked for last

    def identify(self, ids: Mapping[str, UUID]) -> None:
        """Note topics' ids; when one is another than before, the next request begins anew."""
        self._renew |= any(self._ids.get(topic, known) != known for topic, known in ids.items())
        self._ids.update(ids)
        self._names = {known: topic for topic, known in self._ids.items()}

    def request(
        self,
        connection: DataConnection,
        *,
        isolation: int,
        max_wait_ms: int,
        max_bytes: int,
        partition_max_bytes: int,
    ) -> tuple[int, bytes]:
        """Return the version to ask with, and the request's body."""
        by_id = NO_TOPIC_ID not in self._names and connection.supports(
            fetch.API_KEY, fetch_by_id.VERSION
        )
        if self._renew or by_id != self._by_id:
            self.reset()  # a session must not mix ways of asking, nor keep an old id
            self._by_id, self._renew = by_id, False
        tell, forget, session = self.next_request()
        self.asked.update(tell)
        if by_id:
            return fetch_by_id.VERSION, fetch_by_id.request_body(
                tell,
                forget,
                self._ids,
                session=session,
                isolation=isolation,
                max_wait_ms=max_wait_ms,
                max_bytes=max_bytes,
                partition_max_bytes=partition_max_bytes,
            )
        return fetch.VERSION, fetch.request_body(
            tell,
            forget,
            session=session,
            isolation=isolation,
            max_wait_ms=max_wait_ms,
            max_bytes=max_bytes,
            partition_max_bytes=partition_max_bytes,
        )

    def parse(self, frame: memoryview) -> FetchResponse:
        """Take the answer to the last request apart."""
        if self._by_id:
            return fetch_by_id.parse_response(frame, self._names)
        return fetch.parse_response(frame)
