"""MirrorMaker 2's keys and values, byte for byte as Kafka 4.2's own classes write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.replication.sync.mm2.formats import Checkpoint, Heartbeat, OffsetSync

int64 = st.integers(-(2**63), 2**63 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)
texts = st.text(st.characters(codec="utf-8"), max_size=300)

GOLDEN = [
    (Heartbeat("A", "B", 1_700_000_000_000), "000141000142", "00000000018bcfe56800"),
    (
        Checkpoint("g1", "A.orders", 3, 1042, 998, ""),
        "000267310008412e6f726465727300000003",
        "0000000000000000041200000000000003e60000",
    ),
    (
        Checkpoint("größe", "t", 2**31 - 1, 0, 2**63 - 1, "at 7"),
        "00076772c3b6c39f650001747fffffff",
        "000000000000000000007fffffffffffffff000461742037",
    ),
    (
        OffsetSync("orders", 3, 1042, 997),
        "00066f726465727300000003",
        "000000000000041200000000000003e5",
    ),
]


@pytest.mark.parametrize(("record", "key", "value"), GOLDEN)
def test_bytes_are_kafkas(
    record: Heartbeat | Checkpoint | OffsetSync, key: str, value: str
) -> None:
    assert (record.key().hex(), record.value().hex()) == (key, value)
    assert type(record).parse(bytes.fromhex(key), bytes.fromhex(value)) == record


@given(
    st.one_of(
        st.builds(Heartbeat, texts, texts, int64),
        st.builds(Checkpoint, texts, texts, int32, int64, int64, texts),
        st.builds(OffsetSync, texts, int32, int64, int64),
    ),
    st.data(),
)
def test_what_is_written_is_read_and_what_is_cut_off_is_refused(
    record: Heartbeat | Checkpoint | OffsetSync, data: st.DataObject
) -> None:
    key, value = record.key(), record.value()
    assert type(record).parse(key, value) == record
    assert type(record).parse(key + b"more", value + b"more") == record
    with pytest.raises(ValueError, match="cut off"):
        type(record).parse(key[: data.draw(st.integers(0, len(key) - 1))], value)
    with pytest.raises(ValueError, match="cut off"):
        type(record).parse(key, value[: data.draw(st.integers(0, len(value) - 1))])


def test_another_version_and_what_no_string_takes_are_refused() -> None:
    beat = Heartbeat("A", "B", 1)
    with pytest.raises(ValueError, match="version 1"):
        Heartbeat.parse(beat.key(), b"\0\1" + beat.value()[2:])
    with pytest.raises(ValueError, match="32768 bytes"):
        Checkpoint("g", "t", 0, 1, 1, "ä" * 16384).value()
    assert len(Checkpoint("g", "t", 0, 1, 1, "x" * 32767).value()) == 2 + 16 + 2 + 32767
    with pytest.raises(ValueError, match="cut off"):
        Heartbeat.parse(b"\xff\xff" + beat.key(), beat.value())  # a null STRING
