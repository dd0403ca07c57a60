"""Whose records make a flow leave one of MirrorMaker 2's topics alone, and for how long."""

from __future__ import annotations

import time

import pytest

from engine.config.cluster_section import ClusterConfig
from engine.kafka import batch as b
from engine.kafka import records as r
from engine.kafka.cluster import Cluster
from engine.replication.sync.mm2.topic import FLOW_HEADER, Mm2Topic, _found

QUIET_S = 300.0


def looked_at(writer: str | None, key: bytes = b"ours", age: float = 0.0) -> Mm2Topic:
    """A topic of flow `m`, after a look that found one record."""
    cluster = Cluster("west", ClusterConfig(bootstrap_servers=["127.0.0.1:1"]))
    topic = Mm2Topic(
        cluster,
        "t",
        "m",
        setting="mm2.x",
        quiet_seconds=QUIET_S,
        read_back=1,
        is_ours=b"ours".__eq__,
    )
    headers = [(FLOW_HEADER, writer.encode())] if writer else [("another", b"m")]
    record = r.RawRecord(0, int((time.time() - age) * 1000), 0, r.body(key, b"value", headers))
    view = memoryview(r.encode([record], 0, (b.NO_PRODUCER_ID, -1, -1)))
    topic._note(list(_found(r.read_header(view), view)))
    return topic


@pytest.mark.parametrize(
    ("writer", "who"),
    [
        (None, "MirrorMaker 2, or another program, writes there"),
        ("a", "flow a of ccr writes there"),  # its name comes first
        ("m", ""),
        ("z", ""),
    ],
)
def test_only_one_of_two_writes(writer: str | None, who: str) -> None:
    found = looked_at(writer).in_the_way
    assert (found is None) == (not who)
    if found is not None:
        assert who in found.text
        assert found.object == "topic t on cluster west"
        assert "turn mm2.x off" in found.next_step


def test_another_key_is_nobodys_business() -> None:
    assert looked_at(None, key=b"theirs").in_the_way is None


@pytest.mark.parametrize(
    ("age", "counts"), [(QUIET_S - 60, True), (QUIET_S + 60, False), (-60.0, True)]
)
def test_it_is_left_alone_until_the_other_was_quiet_for_long_enough(
    age: float, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that goes ahead does not lengthen it."""
    topic = looked_at(None, age=age)
    assert (topic.in_the_way is not None) == counts
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + QUIET_S + 1)
    assert topic.in_the_way is None
