"""How the console words that retention overtakes replication."""

from __future__ import annotations

from ccr_tui import formats
from ccr_tui.screens.tones import soon
from ccr_tui.state import ConsoleState
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.columns import Tone
from engine.api.retention_snapshots import Overtaking
from engine.api.snapshots import FlowSnapshot


def engine_now(state: ConsoleState, now: float) -> float:
    """Return the engine's clock; `now` is monotonic."""
    taken = state.snapshot.taken_at if state.snapshot else 0.0
    return taken + (state.age(now) or 0.0)


def overtaking_words(found: Overtaking, state: ConsoleState, now: float) -> str:
    """Say when retention overtakes, and what is gone."""
    if found.gone_records:
        return f"retention has overtaken ({found.by}): {found.gone_records:,} records are gone"
    left = found.at - engine_now(state, now)
    when = f"in {formats.seconds(round(left))}" if left > 0 else "at any moment"
    return f"retention overtakes {when} ({found.by})"


def overtaking_facts(
    found: Overtaking | None, topic: str, state: ConsoleState, now: float, where: str = ""
) -> list[Fact]:
    """Warn of retention, and say what helps; nothing when it overtakes nothing."""
    if found is None:
        return []
    tone = Tone.BAD if soon(found, engine_now(state, now)) else Tone.WARN
    step = f"Raise {found.by} of {topic} on the source until it is in step."
    return [
        [("Gap   ", Tone.DIM), (where + overtaking_words(found, state, now), tone)],
        [("Next  ", Tone.DIM), (step, Tone.STRONG)],
    ]


def flow_overtaking_facts(flow: FlowSnapshot, state: ConsoleState, now: float) -> list[Fact]:
    """Warn of the partition of a flow that is overtaken first."""
    found = flow.overtaken
    if found is None:
        return []
    where = f"{found.topic}/{found.partition}: "
    facts = overtaking_facts(found.first, found.topic, state, now, where)
    if found.partitions > 1:
        more = f"; {formats.plural(found.partitions, 'partition')} within a day"
        facts[0] = [*facts[0], (more, Tone.BAD)]
    return facts


def gap_in(flow: FlowSnapshot, state: ConsoleState, now: float) -> str:
    """Return in how long a flow is overtaken; empty where that is not within a day."""
    found = flow.overtaken
    clock = engine_now(state, now)
    if found is None or not soon(found.first, clock):
        return ""
    return formats.coarse(found.first.at - clock)
