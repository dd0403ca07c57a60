"""The range comparer against a comparison of records one by one, as aiokafka reads them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kafka import records as r
from engine.replication.both_ways.marks import FLOW_EPOCH
from engine.replication.offset_map import OffsetMap, Run
from engine.replication.verify.comparer import Comparer, Rules
from engine.replication.verify.findings import Tally
from engine.replication.verify.side import Side
from engine.replication.verify.verifier import RANDOM_RANGES, SAMPLE_RECORDS, sample
from tests.unit.source_log import Rec, batch_of, read

PARTS = ("key", "value", "headers", "timestamp")
FORGED = {"key": b"\xff", "value": b"\xff", "headers": (("forged", b""),), "timestamp": 77}


@dataclass
class Logs:
    """Two logs as batches, the runs between them, and what a right comparison has to find."""

    source: list[bytes] = field(default_factory=list)
    target: list[bytes] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    differs: dict[int, str] = field(default_factory=dict)  # source offset → part
    lost: set[int] = field(default_factory=set)  # source offsets that the target lacks
    strangers: int = 0


content = st.tuples(
    st.one_of(st.none(), st.binary(max_size=3)),
    st.one_of(st.none(), st.binary(max_size=40)),
    st.lists(st.tuples(st.text(max_size=3), st.one_of(st.none(), st.binary(max_size=3)))),
)
fates = st.sampled_from(["same"] * 12 + ["gap", "lost", "stranger", *PARTS])


@st.composite
def logs(draw: st.DrawFn) -> Logs:
    """Records with fates; batch boundaries and codecs drawn for each side by itself, or alike."""
    made = Logs()
    rows = draw(st.lists(st.tuples(content, fates, st.integers(0, 50)), min_size=1, max_size=24))
    source: list[Rec] = []
    target: list[Rec] = []
    at_source = at_target = 0
    offset_map = OffsetMap()
    for (key, value, headers), fate, time in rows:
        at_source += fate == "gap"
        if fate == "stranger":
            target.append(Rec(at_target, time, b"s", b"stranger", ()))
            at_target += 1
            made.strangers += 1
        mine = Rec(at_source, time, key, value, tuple(headers))
        source.append(mine)
        offset_map.append(at_source, at_target, 1)
        theirs = mine._replace(offset=at_target)
        if fate in FORGED:
            theirs = theirs._replace(**{fate: FORGED[fate]})
            made.differs[at_source] = fate
        if fate == "lost":
            made.lost.add(at_source)
        else:
            target.append(theirs)
        at_source += 1
        at_target += 1
    made.runs = list(offset_map.runs())
    codecs = st.sampled_from([0, 1, 3])
    alike = draw(st.booleans())
    cuts = draw(st.lists(st.integers(1, 8), min_size=1, max_size=6))
    other = cuts if alike else draw(st.lists(st.integers(1, 8), min_size=1, max_size=6))
    codec = draw(codecs)
    made.source = _batches(source, cuts, codec)
    made.target = _batches(target, other, codec if alike else draw(codecs))
    return made


def _batches(records: Sequence[Rec], cuts: Sequence[int], codec: int) -> list[bytes]:
    out, at, turn = [], 0, 0
    while at < len(records):
        size = cuts[turn % len(cuts)]
        out.append(batch_of(records[at : at + size], codec=codec))
        at, turn = at + size, turn + 1
    return out


async def _each(batches: Sequence[bytes]) -> AsyncIterator[tuple[r.Batch, memoryview]]:
    for batch in batches:
        view = memoryview(batch)
        yield r.read_header(view), view


def compare(made: Logs, **rules: object) -> Tally:
    """Compare two logs as a whole."""
    tally = Tally()
    end = 10**6
    source, target = Side(_each(made.source), 0, end), Side(_each(made.target), 0, end)
    comparer = Comparer(made.runs, Rules(mirrored_to=end, **rules), tally)  # type: ignore[arg-type]
    asyncio.run(comparer.run(source, target))
    return tally


def one_by_one(made: Logs) -> tuple[int, dict[int, set[str]]]:
    """Compare with aiokafka's decoder and the runs alone: (equal records, differing parts)."""
    ours = {each.offset: each for batch in made.source for each in read(batch)}
    theirs = {each.offset: each for batch in made.target for each in read(batch)}
    equal, differs = 0, {}
    for source, target, count in made.runs:
        for n in range(count):
            one, other = ours[source + n], theirs.get(target + n)
            if other is None:
                continue
            parts = {part for part in PARTS if getattr(one, part) != getattr(other, part)}
            equal += not parts
            if parts:
                differs[source + n] = parts
    return equal, differs


@given(logs())
def test_finds_what_a_comparison_record_by_record_finds(made: Logs) -> None:
    """Equal, differing, lost and strange records, whatever the batches' boundaries and codecs."""
    tally = compare(made)
    equal, differs = one_by_one(made)
    named = {m.source_offset: set(m.differs) for m in tally.mismatches}
    lost = {offset: {"missing on target"} for offset in made.lost}
    assert named == differs | lost
    assert (tally.equal, tally.mismatched, tally.only_source, tally.only_target) == (
        equal,
        len(differs),
        len(made.lost),
        made.strangers,
    )


def rec(offset: int, key: bytes | None, value: bytes | None = b"v") -> Rec:
    """A record at time 0."""
    return Rec(offset, 0, key, value, ())


@pytest.mark.parametrize(
    ("kept", "compacted", "lost"),
    [
        ({2, 3, 4}, 2, []),  # 0 and 1 are superseded by 2 and 3
        ({3, 4}, 2, [2]),  # nothing supersedes 2
        ({0, 1, 2, 3, 4}, 0, []),
    ],
)
def test_only_superseded_records_may_be_compacted_away(
    kept: set[int], compacted: int, lost: list[int]
) -> None:
    keys = [b"a", b"b", b"a", b"b", b"c"]
    source = [rec(offset, key) for offset, key in enumerate(keys)]
    target = [each for each in source if each.offset in kept]
    made = Logs([batch_of(source)], [batch_of(target)], [(0, 0, 5)])
    tally = compare(made, target_compacts=True)
    assert [m.source_offset for m in tally.mismatches] == lost
    assert (tally.compacted, tally.equal, tally.wrong) == (compacted, len(kept), len(lost))


def test_a_source_record_that_no_run_has_is_named_unless_a_policy_left_it_out() -> None:
    source = [rec(0, b"a"), rec(1, b"b"), rec(2, b"c")]
    target = [rec(0, b"a"), rec(1, b"c")]
    made = Logs([batch_of(source)], [batch_of(target)], [(0, 0, 1), (2, 1, 1)])
    found = compare(made)
    assert [(m.source_offset, m.target_offset, m.differs) for m in found.mismatches] == [
        (1, None, ("not mirrored",))
    ]
    left_out = compare(made, skipped=[(1, 2)])
    assert (left_out.wrong, left_out.left_out, left_out.equal) == (0, 1, 2)


def test_a_record_that_only_the_target_has_speaks_against_it_unless_the_source_compacts() -> None:
    source, target = [rec(0, b"a")], [rec(0, b"a"), rec(1, b"b")]
    made = Logs([batch_of(source)], [batch_of(target)], [(0, 0, 2)])
    assert [m.differs for m in compare(made).mismatches] == [("missing on source",)]
    assert compare(made).missing_on_source == 1
    compacted = compare(made, source_compacts=True)
    assert (compacted.wrong, compacted.gone_source) == (0, 1)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_sample_has_both_ends_and_no_record_twice(first: int, length: int) -> None:
    ranges = sample(first, first + length)
    assert ranges[0][0] == first
    assert ranges[-1][1] == first + length
    assert all(one[1] <= other[0] for one, other in pairwise(ranges))
    assert sum(end - begin for begin, end in ranges) <= (RANDOM_RANGES + 2) * SAMPLE_RECORDS


OURS, THEIRS = 5, 9


@given(
    st.lists(
        st.tuples(st.sampled_from(["local", "brought", "stranger"]), st.integers(1, 5)),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([0, 1]),
    st.booleans(),
)
def test_both_ways_others_records_are_counted_on_each_side(
    happened: list[tuple[str, int]], codec: int, holes: bool
) -> None:
    """What another flow brought is not for the target, what others write there is no loss."""
    made, counts = Logs(), {"local": 0, "brought": 0, "stranger": 0}
    at_source = at_target = 0
    offset_map = OffsetMap()
    for kind, count in happened:
        counts[kind] += count
        if kind != "stranger":
            end = at_source + count + holes
            records = [Rec(at_source + n, 1, b"k", b"%d" % n) for n in range(count)]
            producer = (THEIRS, FLOW_EPOCH, 0) if kind == "brought" else (-1, -1, -1)
            made.source.append(batch_of(records, codec=codec, producer=producer, next_offset=end))
        if kind == "local":
            offset_map.append(at_source, at_target, count)
        if kind != "brought":
            records = [Rec(at_target + n, 1, b"k", b"%d" % n) for n in range(count)]
            producer = (OURS if kind == "local" else THEIRS, FLOW_EPOCH, 0)
            made.target.append(batch_of(records, codec=codec, producer=producer))
            at_target += count
        at_source += count + holes if kind != "stranger" else 0
    made.runs = list(offset_map.runs())
    found = compare(made, producer_id=OURS, local_only=True)
    assert (found.equal, found.left_out, found.only_target) == tuple(counts.values())
    assert (found.wrong, found.mismatches) == (0, [])
    found = compare(made, producer_id=OURS, local_only=False)
    assert (found.equal, found.only_source) == (counts["local"], counts["brought"])


def test_what_was_mirrored_when_the_flow_took_anybodys_records_is_compared() -> None:
    made = Logs()
    for base in (0, 2):
        records = [Rec(base + n, 1, b"k", b"v") for n in range(2)]
        made.source.append(batch_of(records, producer=(THEIRS, FLOW_EPOCH, 0)))
    for n in range(2):  # other batches than the source's
        made.target.append(batch_of([Rec(n, 1, b"k", b"v")], producer=(OURS, FLOW_EPOCH, 0)))
    made.runs = [(0, 0, 2)]
    found = compare(made, producer_id=OURS, local_only=True)
    assert (found.equal, found.left_out, found.wrong) == (2, 2, 0)
