"""What filters of partitions and of topics look at."""

from __future__ import annotations

from ccr_tui.filtering import Words
from ccr_tui.screens.lag.tally import TopicRow
from ccr_tui.screens.tones import state_word
from engine.api.snapshots import PartitionSnapshot


def name_of(partition: PartitionSnapshot) -> str:
    """Return `topic/partition`."""
    return f"{partition.topic}/{partition.partition}"


def _partition_states(partition: PartitionSnapshot) -> tuple[str, ...]:
    word = state_word(partition)
    return (word, OVERTAKEN) if partition.overtaken is not None else (word,)


def _topic_states(row: TopicRow) -> list[str]:
    words = [word for word, _ in row.words]
    return [*words, OVERTAKEN] if row.overtaken is not None else words


OVERTAKEN = "overtaken"
OF_PARTITIONS = Words(name_of, _partition_states)
OF_TOPICS: Words[TopicRow] = Words(lambda row: row.topic, _topic_states)
