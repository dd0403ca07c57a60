"""Is the fence tight? The logs of all partitions are watched until they stand still.

What counts is where each leader's log ends, not its high watermark: what is appended and not yet
replicated is going to be there. A few requests a round, whatever the number of partitions:
metadata, two ListOffsets a broker, and a fetch of the first bytes that were appended since.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from engine.errors import ConnectError
from engine.kafka.cluster import AS_DEBUGGER, LATEST, Cluster
from engine.kafka.fetch import TopicPartition
from engine.kafka.metadata import ClusterMetadata
from engine.runbook.leaders import ask_leaders
from engine.runbook.standing_facts import Moving, Standing
from engine.runbook.standing_words import waited_for
from engine.runbook.tails import Tails
from engine.runbook.writers import Writers

READ_COMMITTED = 1
LEAST_PAUSE_S, MOST_PAUSE_S = 0.05, 0.5
_ROUNDS = 5  # within the quiet time
_ASK_EVERY_S = 1.0


async def standing(
    source: Cluster,
    topics: Iterable[str],
    *,
    quiet_s: float,
    timeout_s: float,
    tell: Callable[[str], None] = lambda _: None,
) -> Standing:
    """Watch all partitions until none got a record for `quiet_s` and no transaction is open.

    Returns then, or after `timeout_s` with what still moves; `tell` is told after every look.
    A broker that does not answer only makes its partitions unanswered. Raises ConnectError when no
    look could be had at all, and KafkaError.
    """
    watch = _Watch(source, sorted(set(topics)), quiet_s)
    pause = min(max(quiet_s / _ROUNDS, LEAST_PAUSE_S), MOST_PAUSE_S)
    failure = ConnectError("watching the end offsets of cluster", source.name, "it did not answer")
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    await watch.look()
                except ConnectError as error:
                    failure = error
                    watch.nothing_heard()
                found = watch.standing()
                tell(waited_for(found))
                if found.tight:
                    return found
                await asyncio.sleep(pause)
    except TimeoutError:
        if not watch.looked:
            raise failure from None
        return watch.standing()
    finally:
        watch.close()


class _Watch:
    """Where the logs end, and since when nobody wrote."""

    def __init__(self, source: Cluster, topics: list[str], quiet_s: float) -> None:
        self._source = source
        self._topics = topics
        self._quiet_s = quiet_s
        self._writers = Writers(source)
        self._tails = Tails(source)
        self._began = time.monotonic()
        self._asked_at = self._began  # the last look
        self._asked: dict[str, float] = {}  # when brokers were last asked for what is dear
        self._first: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._stable: dict[TopicPartition, int] = {}
        self._since: dict[TopicPartition, float] = {}  # not before the answer that told of it
        self._written: set[TopicPartition] = set()
        self._unanswered: set[TopicPartition] = set()
        self._unseen: list[str] = []
        self.looked = False

    def close(self) -> None:
        """End its connections."""
        self._tails.close()

    async def look(self) -> None:
        """Look at all partitions once. Raises ConnectError and KafkaError."""
        metadata = await self._source.metadata(self._topics)
        known = {topic: found.partitions for topic, found in metadata.topics.items()}
        unseen = [topic for topic in self._topics if not known.get(topic)]
        wanted = [(topic, number) for topic in self._topics for number in known.get(topic, ())]
        asked_at = time.monotonic()
        ends = await self._offsets(wanted, metadata, replica=AS_DEBUGGER)
        grown = {
            key: (before, ends[key])
            for key, before in self._ends.items()
            if ends.get(key, before) > before
        }
        written = await self._tails.with_records(grown, metadata)
        # After the ends: what was stable up to there is so still, whatever was appended since.
        stable = await self._offsets(wanted, metadata, isolation=READ_COMMITTED)
        # Taken note of all at once: who looks may be cancelled while he asks.
        self._asked_at, self._unseen = asked_at, unseen
        self._unanswered = {key for key in wanted if key not in ends or key not in stable}
        self._restart(self._unanswered)
        unread = grown.keys() - written.keys()
        self._note({key: end for key, end in ends.items() if key not in unread}, written, stable)
        self._restart(unread)
        await self._name(metadata)
        self.looked = True

    async def _offsets(
        self, wanted: Iterable[TopicPartition], metadata: ClusterMetadata, **how: int
    ) -> dict[TopicPartition, int]:
        async def ask(keys: list[TopicPartition]) -> dict[TopicPartition, int]:
            return await self._source.list_offsets(dict.fromkeys(keys, LATEST), metadata, **how)

        return await ask_leaders(wanted, metadata, ask)

    def nothing_heard(self) -> None:
        """Count all partitions as unanswered."""
        self._unanswered = set(self._since)
        self._restart(self._since)

    def _restart(self, keys: Iterable[TopicPartition]) -> None:
        self._since |= dict.fromkeys(keys, time.monotonic())

    def _note(
        self,
        ends: dict[TopicPartition, int],
        written: dict[TopicPartition, bool],
        stable: dict[TopicPartition, int],
    ) -> None:
        """Take note of ends that are known for what they are."""
        self._written |= {key for key, records in written.items() if records}
        self._restart(
            key
            for key, end in ends.items()
            if self._ends.get(key) != end and written.get(key, True)
        )
        self._ends |= ends
        self._stable |= stable
        self._first = ends | self._first

    async def _name(self, metadata: ClusterMetadata) -> None:
        """Find out who writes, and whose transactions are open."""
        unstable = self._unstable()
        suspects = {*self._moving(), *unstable}
        if not self.looked:
            suspects = set(self._ends)  # what is there before is compared with later
        if suspects and (not self.looked or self._due("producers")):
            await self._writers.look(suspects, metadata)
        if unstable and self._due("transactions"):
            await self._writers.look_for_transactions()

    def _due(self, question: str) -> bool:
        now = time.monotonic()
        due = now - self._asked.get(question, 0.0) >= _ASK_EVERY_S
        if due:
            self._asked[question] = now
        return due

    def _unstable(self) -> list[TopicPartition]:
        return [key for key, end in self._ends.items() if self._stable.get(key, end) < end]

    def _moving(self) -> list[TopicPartition]:
        """Return the partitions that were written to within the quiet time."""
        return [key for key in self._written if self._asked_at - self._since[key] < self._quiet_s]

    def standing(self) -> Standing:
        """Return what was seen."""
        stood_s = max(0.0, self._asked_at - max(self._since.values(), default=self._began))
        unstable = self._unstable()
        transactions = self._writers.transactions(unstable)
        held = {key for each in transactions for key in each.partitions}
        in_the_way = unstable or self._unanswered or self._unseen
        return Standing(
            tight=stood_s >= self._quiet_s and not in_the_way,
            ends=dict(self._ends),
            stable=dict(self._stable),
            quiet_s=self._quiet_s,
            stood_s=stood_s,
            elapsed_s=time.monotonic() - self._began,
            moving=tuple(self._moved(key) for key in sorted(self._moving())),
            transactions=transactions,
            behind=tuple(key for key in unstable if key not in held),
            unanswered=tuple(sorted(self._unanswered)),
            unseen=tuple(self._unseen),
            not_told=self._writers.not_told,
        )

    def _moved(self, key: TopicPartition) -> Moving:
        return Moving(
            *key,
            began=self._first[key],
            end=self._ends[key],
            moved_s_ago=max(0.0, self._asked_at - self._since[key]),
            writers=self._writers.wrote(key),
        )
