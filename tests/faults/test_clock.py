"""The wall clock jumps under a running engine."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from engine.sandbox import Sandbox
from tests.faults.rig import EngineProcess, rig, until

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
HOUR_S = 3600

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(LIBRARY is None, reason="needs libfaketime (Debian package faketime)"),
]


async def test_wall_clock_jumps_an_hour_and_back(sandbox: Sandbox, tmp_path: Path) -> None:
    """Only the engine's clock: what it mirrors stays as it is, and it does not give the flow up."""
    jumps = tmp_path / "faketime"
    jumps.write_text("+0")
    async with rig(sandbox, tmp_path) as flow:
        await flow.load()
        engine = flow.engine()
        engine.environment = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(jumps),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # a jump of the wall clock is not one of it
        }
        engine.start()
        await engine.works()
        generation = await _generation(engine)
        for hours in (1, 0, -1, 0):
            jumps.write_text(f"{hours * HOUR_S:+d}")
            await until(lambda hours=hours: _believes(engine, hours), f"it believes {hours} h")
            await engine.works()
        assert await _generation(engine) == generation, "it claimed the flow anew"
        await flow.intact(engine)


async def _believes(engine: EngineProcess, hours: int) -> bool:
    seen = await engine.flow_snapshot()
    return seen is not None and abs(seen.observed_at - time.time() - hours * HOUR_S) < HOUR_S / 2


async def _generation(engine: EngineProcess) -> int:
    seen = await engine.flow_snapshot()
    assert seen is not None
    assert seen.owner is not None
    return seen.owner.generation
