"""The fence that needs neither authorizer nor proxy: max.message.bytes too low for any batch.

78 bytes, and never less: that is the size of a transaction's marker (61 of batch header, 17 of
record). Below it the marker of a transaction that is open when the fence falls is refused; the
coordinator drops it, the last stable offset hangs, and the transactional id stays in PrepareCommit
even after the fence is lifted (measured on 4.2.0).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from engine.config.switch_section import FenceKind
from engine.errors import KafkaError, RefusedError
from engine.kafka.cluster import Cluster
from engine.kafka.codes import Code
from engine.kafka.metadata import NO_LEADER
from engine.kafka.topic_configs import TopicConfig, alter_configs, described_configs
from engine.replication.topics.config_rules import FENCE_BYTES, MAX_MESSAGE_BYTES
from engine.runbook.fences.asking import ask_all, settled, told_by, verdict
from engine.runbook.fences.protocol import (
    Done,
    Evidence,
    FenceRecord,
    MaxMessageBytesRecord,
)
from engine.runbook.fences.wording import all_in_one, as_findings, counted, named
from engine.runbook.findings import Finding, stop, warn

_FENCED = str(FENCE_BYTES)
_Configs = tuple[dict[str, TopicConfig], dict[str, KafkaError]]  # and why others were refused


class MaxMessageBytesFence:
    """Sets max.message.bytes of a flow's source topics."""

    kind = FenceKind.MAX_MESSAGE_BYTES

    def __init__(self, source: Cluster, flow: str, topics: Iterable[str]) -> None:
        self._source = source
        self._flow = flow
        self._topics = tuple(sorted(topics))

    async def examine(self) -> list[Finding]:
        """Read the configs, and ask whether they could be set."""
        configs, refused = await self._read(self._topics)
        findings = as_findings(refused)
        low = [topic for topic, config in configs.items() if _size(config) <= FENCE_BYTES]
        if low:
            findings.append(
                stop(
                    f"{MAX_MESSAGE_BYTES} is {FENCE_BYTES} or less already on {named(low)}",
                    "Does a fence of an earlier run stand there? Lift that; or set what it was",
                )
            )
        changes = {topic: {MAX_MESSAGE_BYTES: _FENCED} for topic in configs}
        findings += as_findings(await alter_configs(self._source, changes, validate_only=True))
        findings.append(
            warn(
                f"A batch of up to {FENCE_BYTES} bytes still gets through: a single record whose"
                " key and value have ten bytes or less together",
                "For topics with such records take another fence",
            )
        )
        return findings

    async def record(self) -> MaxMessageBytesRecord:
        """Read what is set on the topics themselves."""
        configs, refused = await self._read(self._topics)
        if refused:
            raise all_in_one(
                "reading what a fence would change of", self._flow, refused, len(self._topics)
            )
        return MaxMessageBytesRecord(
            flow=self._flow,
            source=self._source.name,
            topics=self._topics,
            before={topic: _own(configs[topic]) for topic in self._topics},
        )

    async def raise_up(self, record: FenceRecord) -> Done:
        """Set it, unless somebody changed it since it was recorded."""
        before = _expected(record).before
        configs, refused = await self._read(before)
        changed = {
            topic: _own(config)
            for topic, config in configs.items()
            if _own(config) not in (_FENCED, before[topic])
        }
        if changed:
            raise RefusedError(
                "fencing", f"flow {self._flow}",
                f"somebody changed {MAX_MESSAGE_BYTES} of {named(changed)} since it was recorded",
                "Begin again, so that the new value is the one that is restored",
            )  # fmt: skip
        refused |= await self._set(dict.fromkeys(configs, _FENCED))
        if refused:
            raise all_in_one("fencing", self._flow, refused, len(before))

        async def known() -> bool:
            return (await self.stands(record)).stands is not False

        late = await settled(known)
        return Done(f"{MAX_MESSAGE_BYTES} is {FENCE_BYTES} on {counted(before)}", late)

    async def lift(self, record: FenceRecord) -> Done:
        """Put back what was set, where it is still what the fence set."""
        before = _expected(record).before
        configs, refused = await self._read(before)
        gone = await self._gone(refused)
        findings = [warn(f"Not put back, as it is gone: {named(gone)}")] if gone else []
        refused = {topic: error for topic, error in refused.items() if topic not in gone}
        # Also where it seems to be restored already: a broker may not know of the fence yet.
        restore: dict[str, str | None] = {}
        for topic, config in configs.items():
            now, was = _own(config), before[topic]
            if now in (was, _FENCED):
                restore[topic] = was
            else:
                findings.append(_left_alone(topic, now, was))
        refused |= await self._set(restore)
        if refused:
            raise all_in_one("lifting the fence of", self._flow, refused, len(before))

        async def known() -> bool:
            told = await self._ask_leaders(restore)
            return all(
                _own(config) == restore[topic]
                for configs, _ in told.answers
                for topic, config in configs.items()
            )

        findings += await settled(known)
        return Done(f"{MAX_MESSAGE_BYTES} is as it was on {counted(restore)}", tuple(findings))

    async def stands(self, record: FenceRecord, topics: Collection[str] = ()) -> Evidence:
        """Ask every leader of the topics for the value that it applies."""
        before = _expected(record).before
        told = await self._ask_leaders(before)
        fenced, not_fenced = _sorted_out(told.answers)
        open_topics = told.not_there | not_fenced
        return Evidence(
            verdict(open_topics, all_told=told.complete),
            f"{MAX_MESSAGE_BYTES} is {FENCE_BYTES} on {len(fenced - open_topics):,} of"
            f" {counted(before)}, {told_by(len(told.answers), told.asked)}",
            tuple(sorted(open_topics)),
            tuple(sorted(set(topics) - before.keys())),
        )

    async def _ask_leaders(self, topics: Collection[str]) -> _Told:
        metadata = await self._source.metadata(topics)
        by_leader: dict[int, set[str]] = {}
        for topic in topics:
            known = metadata.topics.get(topic)
            for partition in known.partitions if known else ():
                by_leader.setdefault(metadata.leader(topic, partition), set()).add(topic)
        not_there = set(topics).difference(*by_leader.values())
        leaderless = by_leader.pop(NO_LEADER, set())
        answers = await ask_all(self._read(asked, node) for node, asked in by_leader.items())
        complete = len(answers) == len(by_leader) and not leaderless
        return _Told(answers, len(by_leader), complete, not_there)

    async def _read(self, topics: Iterable[str], node: int | None = None) -> _Configs:
        return await described_configs(self._source, topics, [MAX_MESSAGE_BYTES], node=node)

    async def _set(self, values: dict[str, str | None]) -> dict[str, KafkaError]:
        changes = {topic: {MAX_MESSAGE_BYTES: value} for topic, value in values.items()}
        return await alter_configs(self._source, changes)

    async def _gone(self, refused: Collection[str]) -> set[str]:
        if not refused:
            return set()
        known = await self._source.metadata(refused)
        return {
            topic
            for topic in refused
            if topic not in known.topics
            or known.topics[topic].error == Code.UNKNOWN_TOPIC_OR_PARTITION
        }


class _Told(NamedTuple):
    """What leaders of topics told, of so many that were asked."""

    answers: list[_Configs]
    asked: int
    complete: bool
    not_there: set[str]


def _sorted_out(
    told: Iterable[_Configs],
) -> tuple[set[str], set[str]]:
    """Return which topics are fenced somewhere, and which are not somewhere."""
    fenced: set[str] = set()
    not_fenced: set[str] = set()
    for configs, refused in told:
        low = {topic for topic, config in configs.items() if _size(config) <= FENCE_BYTES}
        fenced |= low
        not_fenced |= (configs.keys() | refused.keys()) - low
    return fenced, not_fenced


def _own(config: TopicConfig) -> str | None:
    return config.own_values.get(MAX_MESSAGE_BYTES)


def _size(config: TopicConfig) -> int:
    return int(config.values[MAX_MESSAGE_BYTES])


def _left_alone(topic: str, now: str | None, was: str | None) -> Finding:
    here = "was removed" if now is None else f"is {now}"
    before = "nothing was set" if was is None else f"it was {was}"
    return warn(
        f"{MAX_MESSAGE_BYTES} of topic {topic} {here}, which is not the fence's: left alone"
        f" (before the fence {before})",
        "Set it as it should be",
    )


def _expected(record: FenceRecord) -> MaxMessageBytesRecord:
    if not isinstance(record, MaxMessageBytesRecord):
        raise TypeError(f"a record of fence {record.kind}")
    return record
