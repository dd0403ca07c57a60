"""A process that re-injects what its flow's state topic keeps, to be killed by tests."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from engine.config.model import Config
from engine.identity import this_engine
from engine.kafka.cluster import Cluster
from engine.replication.state_log import StateLog
from engine.runbook.divergence import Mode, Sides, kept, settle
from tests.kafka.old_primary import remembering


async def main(path: str, flow: str) -> None:
    """Settle, and end."""
    config = Config.model_validate_json(await asyncio.to_thread(Path(path).read_text))
    section = config.flows[flow]
    source, target = (
        Cluster(name, config.clusters[name]) for name in (section.source, section.target)
    )
    state = StateLog(flow, target, this_engine())
    await state.read()
    await state.claim()
    found = kept(flow, state.record)
    assert found is not None
    print("begins", flush=True)
    sides = Sides(flow, section, source, target)
    settled = await settle(sides, state.record, remembering(state), found, Mode.REINJECT)
    assert not settled.failed, settled


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
