"""What the lag screen says of a topic and of a partition: most important first."""

from __future__ import annotations

from ccr_tui import formats
from ccr_tui.screens.facts import partition_facts
from ccr_tui.screens.lag.eta import NEVER, eta, eta_text
from ccr_tui.screens.lag.filtering import name_of
from ccr_tui.screens.lag.tally import FlowTally, Hot, TopicRow
from ccr_tui.screens.overtaking import overtaking_facts
from ccr_tui.screens.tones import PARTITION_TONES, TREND_TONES, concern, word_tone
from ccr_tui.state import ConsoleState
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact, reason_facts
from ccr_tui.widgets.table.columns import Cell, Tone
from engine.api.snapshots import PartitionSnapshot


def describe_partition(
    partition: PartitionSnapshot, hot: Hot | None, state: ConsoleState, now: float, symbols: Symbols
) -> list[Fact]:
    """Describe a partition, with when it is in step and what retention does to it."""
    facts = partition_facts(partition, state, now, symbols)
    facts[1:1] = overtaking_facts(partition.overtaken, partition.topic, state, now)
    ends: list[Cell] = [("ETA   ", Tone.DIM), *_eta_words(eta(partition))]
    if partition.lag_records_per_second is not None:
        ends.append((f"  lag {_change(partition.lag_records_per_second)}", Tone.DIM))
    if hot is not None:
        ends.append((f"  hot: {hot.share:.0%} of the topic's {hot.of}", Tone.WARN))
    return [*facts, ends]


def describe_topic(
    row: TopicRow, tally: FlowTally, state: ConsoleState, now: float, symbols: Symbols
) -> list[Fact]:
    """Describe a topic, with the reason of the partition that needs someone most."""
    partitions = list(tally.partitions(row.topic))
    words: list[Cell] = [("State ", Tone.DIM)]
    for number, (word, count) in enumerate(row.words):
        text = f"{', ' * (number > 0)}{symbols.mark(word)} {count:,} {word}"
        words.append((text, word_tone(word)))
    facts: list[Fact] = [words]
    where = f"partition {row.overtaken_partition}: "
    facts += overtaking_facts(row.overtaken, row.topic, state, now, where)
    worst = max(partitions, key=concern, default=None)
    if worst is not None and worst.reason is not None:
        since = formats.age(state.observed_ago(worst.reason.since, now))
        why = reason_facts(worst.reason, PARTITION_TONES[worst.state], since)
        facts += [[("Worst ", Tone.DIM), (name_of(worst), Tone.STRONG)], *why]
    facts.append(_lag_fact(row, symbols))
    size = formats.size(row.bytes_per_second)
    rate: list[Cell] = [
        ("Rate  ", Tone.DIM),
        (f"{formats.rate(row.records_per_second)} records/s, {size}/s", Tone.PLAIN),
    ]
    if row.hot is not None:
        text = f"  hot: partition {row.hot.partition}, {row.hot.share:.0%} of the {row.hot.of}"
        rate.append((text, Tone.WARN))
    facts.append(rate)
    return facts


def _lag_fact(row: TopicRow, symbols: Symbols) -> Fact:
    fact: list[Cell] = [
        ("Lag   ", Tone.DIM),
        (symbols.trend(row.trend), TREND_TONES[row.trend]),
        (f"  {formats.count(row.lag_records, 20)} records", Tone.PLAIN),
        (f", {formats.seconds(row.lag_seconds)} behind", Tone.PLAIN),
    ]
    if row.lag_change is not None:
        fact.append((f", {_change(row.lag_change)}", Tone.PLAIN))
    return [*fact, ("  ETA ", Tone.DIM), *_eta_words(row.eta)]


def _eta_words(value: float | None) -> list[Cell]:
    if value is None:
        return [("not known yet", Tone.DIM)]
    if value == NEVER:
        return [("never at this rate", Tone.WARN)]
    if value < 0.5:
        return [("in step", Tone.PLAIN)]
    return [(f"in step in {eta_text(value)} at this rate", Tone.PLAIN)]


def _change(records_per_second: float) -> str:
    sign = "-" if records_per_second < 0 else "+"
    return f"{sign}{formats.rate(abs(records_per_second))} records/s"
