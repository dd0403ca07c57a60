"""The demo's records: repeatable from a seed, and no two the same."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from engine.demo.bulk import BULK_SHAPES
from engine.demo.content import SEQUENCE_HEADER, Clicks, Content, Generator, Orders, Readings
from engine.demo.shapes import SHAPES
from engine.demo.topics import partition_of

GENERATORS = [Clicks, Orders, Readings, *(shape.content for shape in BULK_SHAPES)]


def made(generator: Generator, count: int) -> list[tuple[bytes, Content]]:
    return [(generator.key(), generator.content(number)) for number in range(count)]


@pytest.mark.parametrize("make", GENERATORS)
def test_a_seed_makes_the_same_records_again_and_another_seed_others(
    make: Callable[[int], Generator],
) -> None:
    assert made(make(7), 200) == made(make(7), 200)
    assert made(make(7), 200) != made(make(8), 200)


@pytest.mark.parametrize("make", GENERATORS)
def test_every_record_of_a_partition_can_be_told_from_every_other(
    make: Callable[[int], Generator],
) -> None:
    contents = [content for _, content in made(make(1), 5_000)]
    assert len({(content.value, tuple(content.headers)) for content in contents}) == 5_000


def test_orders_carry_their_number_whether_the_value_is_null_or_not() -> None:
    nulls = 0
    for number, (_, content) in enumerate(made(Orders(1), 2_000)):
        if content.value is None:
            nulls += 1
            assert dict(content.headers)[SEQUENCE_HEADER] == b"%d" % number
        else:
            assert json.loads(content.value)["sequence"] == number
    assert 0 < nulls < 200


def test_headers_come_with_some_records_and_may_be_null() -> None:
    headers = [dict(content.headers) for _, content in made(Orders(1), 500)]
    assert {} in headers
    assert any(
        found.get("tenant", b"") is None and len(found["trace-id"]) == 32 for found in headers
    )
    assert any(content.headers for _, content in made(Clicks(1), 500))


def test_readings_are_the_json_they_claim_to_be() -> None:
    _, content = made(Readings(1), 1)[0]
    assert content.value is not None
    reading = json.loads(content.value)
    assert reading["sequence"] == 0
    assert {len(samples) for samples in reading["samples"].values()} == {12}


def test_size_counts_key_value_and_headers() -> None:
    assert Content(b"1234", (("name", b"12"), ("null", None))).size(b"key") == 3 + 4 + 4 + 2 + 4
    assert Content(None).size(b"key") == 3


def test_the_shapes_share_the_whole_rate() -> None:
    assert sum(shape.share for shape in SHAPES) == pytest.approx(1)
    assert sum(shape.share for shape in BULK_SHAPES) == pytest.approx(1)


def test_keys_go_where_kafkas_own_clients_put_them() -> None:
    """Known values of org.apache.kafka.common.utils.Utils.murmur2 (its own test, UtilsTest)."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    for key, murmur in known.items():
        assert partition_of(key, 1_000) == (murmur & 0x7FFFFFFF) % 1_000
