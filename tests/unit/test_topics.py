"""Many topics are created in shares that a controller takes."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from engine.kafka.topics import CONTROLLER_RECORDS, shares


@given(st.lists(st.integers(1, 2 * CONTROLLER_RECORDS), max_size=40))
def test_shares_hold_everything_in_order_and_no_more_than_is_taken(sizes: list[int]) -> None:
    found = list(shares(sizes, lambda size: size))
    assert [size for share in found for size in share] == sizes
    assert all(found)
    assert all(sum(share) <= CONTROLLER_RECORDS for share in found if len(share) > 1)
    for share, following in itertools.pairwise(found):
        assert sum(share) + following[0] > CONTROLLER_RECORDS, "no more requests than needed"
