"""Failback's heart on real brokers: what never arrived is found, kept, settled; the way back."""

from __future__ import annotations

import asyncio
import base64
import json
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.runbook.divergence import (
    DIVERGENCE,
    Divergence,
    Exported,
    Mode,
    Standing,
    export,
    find,
    pass_over,
    read_record,
    seed,
    set_aside,
    settle,
    way_back,
)
from engine.sandbox import ClusterSpec, Sandbox
from tests.kafka.engines import read
from tests.kafka.old_primary import Site, fail_over

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]


@dataclass(frozen=True)
class Lab:
    """One disaster for all tests of this file; each has a topic and flows of its own."""

    sandbox: Sandbox
    sites: dict[str, Site]


NAMES = ("found", *Mode)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Clusters of its own: the source's broker is killed."""
    folder = tmp_path_factory.mktemp("divergence")
    clusters = {"east": ClusterSpec(), "west": ClusterSpec()}
    sandbox = Sandbox(folder / "sandbox", clusters, ephemeral=True)
    asyncio.run(sandbox.up())
    try:
        sites = {name: Site(sandbox, folder, name) for name in NAMES}
        asyncio.run(fail_over(sandbox, folder, list(sites.values()), 30))
        yield Lab(sandbox, sites)
    finally:
        asyncio.run(sandbox.down())


async def test_what_never_arrived_is_found_exactly(lab: Lab) -> None:
    """Against what a consumer reads on both sides; and found again it is the same."""
    site = lab.sites["found"]
    async with site.opened() as owner:
        found = await find(owner.sides, owner.record)
        again = await find(owner.sides, owner.record)
    east, west = Counter(await site.content("east")), Counter(await site.content("west"))
    missing = east - west
    parts = {each.key: each for each in found.partitions}
    print(found)
    assert {key: each.standing for key, each in parts.items()} == {
        (site.topic, 0): Standing.DIVERGED,
        (site.topic, 1): Standing.DIVERGED,
        (site.late_topic, 0): Standing.DIVERGED,
    }
    records = await read(site.sandbox, "east", site.topic)
    for number in (0, 1):
        each = parts[site.topic, number]
        beyond = [row for row in records if row.partition == number and row.offset >= each.first]
        content = Counter((number, r.key, r.value, tuple(r.headers), r.timestamp) for r in beyond)
        assert content == Counter({row: n for row, n in missing.items() if row[0] == number})
        assert each.records == len(beyond)
        assert (each.first_ms, each.last_ms) == (
            min(r.timestamp for r in beyond),
            max(r.timestamp for r in beyond),
        )
        own = [row for row in west - east if row[0] == number]
        assert each.own_records == len(own)
    assert parts[site.late_topic, 0].records == 1
    assert found.partitions == again.partitions
    assert DIVERGENCE.validate_json(DIVERGENCE.dump_json(found)) == found
