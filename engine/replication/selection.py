"""Which topics a flow takes, and what their mirrors are called."""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.config.flow_section import FlowConfig, Rename
from engine.kafka.metadata import TopicMetadata

# As MirrorMaker 2's DefaultTopicFilter has it, and Kafka's own topics.
_INTERNAL = re.compile(r".*[-.]internal|.*\.replica|__.*|_schemas|_confluent.*")
_ESCAPED = re.compile(r"\\([^A-Za-z0-9])")


class TopicSelector:
    """A flow's include and exclude regexes: full match, exclude wins."""

    def __init__(self, flow: FlowConfig) -> None:
        self._patterns = flow.topics.include
        self._named = {_ESCAPED.sub(r"\1", pattern) for pattern in flow.topics.include}
        self._include = [re.compile(pattern) for pattern in flow.topics.include]
        self._exclude = [re.compile(pattern) for pattern in flow.topics.exclude]
        self._prefix = f"{flow.source}." if flow.rename == Rename.PREFIX else ""

    @property
    def literal_names(self) -> list[str]:
        """The topics that `include` names to the letter."""
        names = {_ESCAPED.sub(r"\1", pattern) for pattern in self._patterns if _is_plain(pattern)}
        return sorted(names)

    def selects(self, topic: TopicMetadata) -> bool:
        """Whether the flow takes a topic; internal ones only when named to the letter."""
        name = topic.name
        if (topic.internal or _INTERNAL.fullmatch(name)) and name not in self._named:
            return False
        if any(pattern.fullmatch(name) for pattern in self._exclude):
            return False
        return any(pattern.fullmatch(name) for pattern in self._include)

    def select(self, topics: Iterable[TopicMetadata]) -> dict[str, TopicMetadata]:
        """Return the selected topics by name."""
        return {topic.name: topic for topic in topics if self.selects(topic)}

    def target_name(self, topic: str) -> str:
        """Return the mirror topic's name."""
        return self._prefix + topic


def _is_plain(pattern: str) -> bool:
    """Whether a regex matches one name alone."""
    return not set(_ESCAPED.sub("", pattern)) & set(".^$*+?{}[]|()\\")
