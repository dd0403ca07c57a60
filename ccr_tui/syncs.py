"""How keeping topic configs, ACLs, groups and the like in step gets on, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.api.snapshots import FlowSnapshot, SyncSnapshot, SyncState


@dataclass(frozen=True, slots=True)
class SyncLine:
    """One sentence, and what to do."""

    state: SyncState
    text: str
    next_step: str = ""


def sync_lines(flow: FlowSnapshot) -> Iterator[SyncLine]:
    """Yield a line for each syncer that has something to tell, and one for all the others."""
    for sync in flow.syncs:
        if sync.reason is not None:
            text = f"{sync.name}: failing: {sync.reason.text}"
            yield SyncLine(SyncState.FAILING, text, sync.reason.next_step)
        elif sync.left:
            yield _out_of_step(sync)
    for state in (SyncState.STARTING, SyncState.IN_STEP):
        names = [each.name for each in flow.syncs if each.state == state and each.reason is None]
        if names:
            yield SyncLine(state, f"{state}: {', '.join(names)}")


def _out_of_step(sync: SyncSnapshot) -> SyncLine:
    first, others = sync.left[0], sync.left_total - 1
    more = f" (and {others:,} more: ccr status --json)" if others else ""
    text = f"{sync.name}: out of step: {first.object}: {first.text}{more}"
    return SyncLine(SyncState.OUT_OF_STEP, text, first.next_step)
