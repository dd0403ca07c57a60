"""The mm2 section: what a valid file is warned about (errors: tests/golden/config/mm2.txt)."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.loader import read


@pytest.mark.parametrize(
    ("source", "mm2", "warned"),
    [
        ("us.east", "{heartbeats: both}", "us.east.heartbeats comes from 'us'"),
        ("us.east", "{checkpoints: true, offset_syncs: source}", ""),
        ("us-east", "{heartbeats: target}", ""),
    ],
)
def test_a_name_that_clients_would_cut_is_warned_about(
    tmp_path: Path, source: str, mm2: str, warned: str
) -> None:
    path = tmp_path / "ccr.yaml"
    path.write_text(
        "version: 1\nclusters:\n"
        f"  {source}: {{bootstrap_servers: ['a:9092']}}\n  b: {{bootstrap_servers: ['b:9092']}}\n"
        f"flows:\n  f: {{source: {source}, target: b, mm2: {mm2}}}\n"
    )
    found = [(each.key, warned in each.text) for each in read(path).warnings]
    assert found == ([("flows.f.mm2.heartbeats", True)] if warned else [])
