"""A consumer group that follows one topic and commits, as an application of the source would."""

from __future__ import annotations

import asyncio
import time

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError as AioKafkaError

from engine.demo.shapes import READERS_GROUP
from engine.demo.topics import CLIENT_ID

COMMIT_EVERY_S = 1.0
POLL_MS = 500
RECONNECT_S = 1.0


class Readers:
    """The group's one member. Failures are kept in `error`; it joins again by itself."""

    def __init__(self, bootstrap_servers: str, topic: str, group: str = READERS_GROUP) -> None:
        self.consumed = 0
        self.error = ""
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._group = group

    async def run(self) -> None:
        """Read and commit every COMMIT_EVERY_S until cancelled; then commit and leave."""
        while True:
            try:
                await self._follow()
            except (AioKafkaError, OSError) as error:
                self.error = f"group {self._group}: {type(error).__name__}: {error}"
                await asyncio.sleep(RECONNECT_S)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            self._topic,
            bootstrap_servers=self._bootstrap_servers,
            client_id=CLIENT_ID,
            group_id=self._group,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            # For the end: what was read since the last commit is committed on leaving.
            enable_auto_commit=True,
            auto_commit_interval_ms=3_600_000,
        )
        try:
            await consumer.start()
            commit_at = time.monotonic() + COMMIT_EVERY_S
            while True:
                got = await consumer.getmany(timeout_ms=POLL_MS)
                self.consumed += sum(map(len, got.values()))
                if time.monotonic() >= commit_at:
                    await consumer.commit()
                    commit_at = time.monotonic() + COMMIT_EVERY_S
        finally:
            await consumer.stop()
