"""Failback's heart: what the old primary has that never arrived, what becomes of it, the way back.

The order, each step repeatable at any time and from any process:

1. `find(sides, record)`: what stands on one side only. Changes nothing; find again while any of
   what is untold is retriable. `keep(remember, record, divergence)` writes it down for whoever goes
   on (`kept`), `forget` ends that.
2. `export(sides, divergence, path)` and `set_aside(sides, record, divergence)`.
3. `settle(sides, record, remember, divergence, mode, exported)`: the flow is done with them.
4. `read_record`, `way_back(divergence, record, reverse, back)`, then `seed(reverse, planned)`: the
   reverse flow begins there, when it is started.
5. While it runs, and last when it is drained, before groups are translated:
   `pass_over(sides, record, remember, back)`.

What happens with the diverged records in the old primary's own log: they stay. Kafka cuts a log at
its head only (DeleteRecords), so the reverse flow appends behind them, and both clusters have:

            old primary                            new primary
reinject    mirrored | diverged | copied back      mirrored | own | re-injected | own
the others  mirrored | diverged | copied back      mirrored | own

Re-injected records are appended by the flow itself: with its producer id, its numbering and its
offset map, as if they had arrived late. So the reverse flow leaves them out as it does all that
came from the old primary (`engine.replication.both_ways`), and groups are translated exactly.
What is kept aside or discarded stays readable on the old primary, to those who begin before it:
nobody whose group is translated does, and the flow never mirrors it again, as its checkpoint says.
Whoever wants it out of that log deletes the topic there before `find`: then all is copied back.
"""

from engine.runbook.divergence.aside import set_aside
from engine.runbook.divergence.exporting import export
from engine.runbook.divergence.finding import find
from engine.runbook.divergence.keeping import forget, keep, kept
from engine.runbook.divergence.model import (
    DIVERGENCE,
    SETTLEMENT,
    WAY_BACK,
    Divergence,
    Exported,
    Late,
    Mode,
    PartitionDivergence,
    PartitionWayBack,
    Remember,
    SettledPartition,
    Settlement,
    Sides,
    Standing,
    WayBack,
)
from engine.runbook.divergence.passing import pass_over
from engine.runbook.divergence.planning import way_back
from engine.runbook.divergence.seeding import read_record, seed
from engine.runbook.divergence.settling import settle

__all__ = [
    "DIVERGENCE",
    "SETTLEMENT",
    "WAY_BACK",
    "Divergence",
    "Exported",
    "Late",
    "Mode",
    "PartitionDivergence",
    "PartitionWayBack",
    "Remember",
    "SettledPartition",
    "Settlement",
    "Sides",
    "Standing",
    "WayBack",
    "export",
    "find",
    "forget",
    "keep",
    "kept",
    "pass_over",
    "read_record",
    "seed",
    "set_aside",
    "settle",
    "way_back",
]
