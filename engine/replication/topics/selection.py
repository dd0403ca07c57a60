"""Which topics a flow takes, by which rule, and what their mirrors are called."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Sequence

from engine.api.preview_snapshots import Decision, Rule
from engine.config.flow_section import FlowConfig, Rename, TopicSelection
from engine.config.matching import Pattern, TooSlowError
from engine.kafka.metadata import TopicMetadata
from engine.replication.sync.mm2 import names

TOTAL_S = 0.5
"""Processor time that deciding about all topics that are new may take."""

# As MirrorMaker 2's DefaultTopicFilter has it, and Kafka's own topics.
_INTERNAL = re.compile(r".*[-.]internal|.*\.replica|__.*|_schemas|_confluent.*")
_ESCAPED = re.compile(r"\\([^A-Za-z0-9])")
_IS_INTERNAL = Decision(False, Rule.INTERNAL)
_HEARTBEATS = Decision(True, Rule.HEARTBEATS)
_LOOPS = Decision(False, Rule.LOOP)
_NO_MATCH = Decision(False, Rule.NO_MATCH)


class TopicSelector:
    """A flow's include and exclude regexes: full match, exclude wins.

    What was decided about a topic is kept: looking again costs only what is new.
    """

    def __init__(self, flow: FlowConfig, topics: TopicSelection | None = None) -> None:
        """`topics` are regexes to be tried instead of the flow's own."""
        self.topics = topics or flow.topics
        self._named = {_ESCAPED.sub(r"\1", pattern) for pattern in self.topics.include}
        self._include = _rules(Rule.INCLUDE, self.topics.include)
        self._exclude = _rules(Rule.EXCLUDE, self.topics.exclude)
        self.prefix = f"{flow.source}." if flow.rename == Rename.PREFIX else ""
        """What the names of mirrors begin with; MirrorMaker 2's heartbeats' always do."""
        self._source, self._target = flow.source, flow.target
        self._heartbeats_back = {*map(names.replicated_heartbeats, (flow.source, flow.target))}
        self._heartbeats = flow.mm2.heartbeats is not None
        self._decided: dict[tuple[str, bool], Decision] = {}
        self._too_slow: dict[str, TooSlowError] = {}  # by topic
        self._spent: dict[str, float] = {}  # seconds by regex, while deciding

    @property
    def literal_names(self) -> list[str]:
        """The topics that `include` names to the letter."""
        patterns = self.topics.include
        return sorted(_ESCAPED.sub(r"\1", pattern) for pattern in patterns if _is_plain(pattern))

    async def select(self, topics: Iterable[TopicMetadata]) -> dict[str, TopicMetadata]:
        """Return the selected topics by name. Raises TooSlowError, naming regex and topic."""
        listed = list(topics)
        decisions = await self.decide(listed)
        return {topic.name: topic for topic in listed if decisions[topic.name].taken}

    async def decide(self, topics: Iterable[TopicMetadata]) -> dict[str, Decision]:
        """Return by name what decided about each topic. Raises TooSlowError.

        Regexes run in a thread, and never for longer than TOTAL_S.
        """
        listed = list(topics)
        new = [topic for topic in listed if (topic.name, topic.internal) not in self._decided]
        if new:
            await asyncio.to_thread(self._decide_all, new)
        return {topic.name: self._decided[topic.name, topic.internal] for topic in listed}

    def forget_failures(self) -> None:
        """Try regexes again on topics that they were too slow on."""
        self._too_slow.clear()

    def target_name(self, topic: str) -> str:
        """Return the mirror topic's name."""
        if self._heartbeats and topic == names.HEARTBEATS:
            return names.replicated_heartbeats(self._source)
        return self.prefix + topic

    def _decide_all(self, topics: Iterable[TopicMetadata]) -> None:
        self._spent = dict.fromkeys([*self.topics.include, *self.topics.exclude], 0.0)
        began, used = time.perf_counter(), time.thread_time()
        for topic in topics:
            if topic.name in self._too_slow:
                raise self._too_slow[topic.name]
            # The wall clock first: asking for the thread's own time costs as much as a match.
            if time.perf_counter() - began > TOTAL_S and time.thread_time() - used > TOTAL_S:
                slowest = max(self._spent, key=lambda pattern: self._spent[pattern])
                cause = f"all topics up to {topic.name!r} took it longer than {TOTAL_S:g} s"
                raise TooSlowError(slowest, topic.name, cause)
            try:
                self._decided[topic.name, topic.internal] = self._decide(topic)
            except TooSlowError as error:
                self._too_slow[topic.name] = error
                raise

    def _decide(self, topic: TopicMetadata) -> Decision:
        name = topic.name
        if self._heartbeats and name == names.HEARTBEATS:
            return _HEARTBEATS
        if self._heartbeats and name in self._heartbeats_back:
            return _LOOPS
        if (topic.internal or _INTERNAL.fullmatch(name)) and name not in self._named:
            return _IS_INTERNAL
        decision = self._first(self._exclude, name) or self._first(self._include, name)
        if decision is None:
            return _NO_MATCH
        return _LOOPS if decision.taken and self._loops(name) else decision

    def _first(self, rules: Sequence[tuple[Pattern, Decision]], name: str) -> Decision | None:
        for pattern, decision in rules:
            began = time.perf_counter()
            matched = pattern.matches(name)
            self._spent[pattern.text] += time.perf_counter() - began
            if matched:
                return decision
        return None

    def _loops(self, name: str) -> bool:
        """Whether a renamed mirror went through the target, as MirrorMaker 2's isCycle has it."""
        while self.prefix and "." in name:
            if name.startswith(f"{self._target}.") and len(name) > len(self._target) + 1:
                return True
            name = name.partition(".")[2]
        return False


def _rules(rule: Rule, patterns: Sequence[str]) -> list[tuple[Pattern, Decision]]:
    return [
        (Pattern(pattern), Decision(rule == Rule.INCLUDE, rule, pattern, number))
        for number, pattern in enumerate(patterns, 1)
    ]


def _is_plain(pattern: str) -> bool:
    """Whether a regex matches one name alone."""
    return not set(_ESCAPED.sub("", pattern)) & set(".^$*+?{}[]|()\\")
