"""Active-active: writers on every side, engines that die, and each record everywhere, once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.sandbox import ClusterSpec, Sandbox
from tests.faults.union import Union, union

pytestmark = pytest.mark.kafka

LENGTHS = [
    pytest.param(15.0, marks=pytest.mark.timeout(150)),
    pytest.param(60.0, marks=pytest.mark.soak),
]


async def _with_a_death_of_each_engine(made: Union, seconds: float) -> None:
    """Write for so long; in between kill each engine once and start it again."""
    await made.begin()
    for site in made.sites:
        await site.start()
    began = asyncio.get_running_loop().time()
    for site in made.sites:
        await asyncio.sleep(made.chance.uniform(0.5, seconds / (len(made.sites) + 1)))
        await site.engine.works()
        site.engine.kill()
        await asyncio.sleep(made.chance.uniform(0.0, 1.0))
        await site.start()
    await asyncio.sleep(max(0.0, began + seconds - asyncio.get_running_loop().time()))
    await made.end()
    await made.assert_union()
    made.assert_memory()


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_two_clusters(sandbox: Sandbox, tmp_path: Path, seconds: float) -> None:
    """Both hold exactly the union, once."""
    async with union(sandbox, tmp_path, "east", "west") as made:
        await _with_a_death_of_each_engine(made, seconds)


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_a_mesh_of_three(tmp_path: Path, seconds: float) -> None:
    """Six flows; nothing goes on from where it was not first written."""
    clusters = dict.fromkeys(("east", "west", "north"), ClusterSpec())
    sandbox = Sandbox(tmp_path / "sandbox", clusters, ephemeral=True)
    await sandbox.up()
    try:
        async with union(sandbox, tmp_path, *clusters) as made:
            await _with_a_death_of_each_engine(made, seconds)
    finally:
        await sandbox.down()
