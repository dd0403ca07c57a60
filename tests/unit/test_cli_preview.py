"""`ccr preview`: what is printed of a given preview, in 80 columns, and the exit codes."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ccr_tui.cli.preview import _tried, exit_code, preview_json, preview_lines
from engine.api.acl_snapshots import AclPreview, AclRow, AclVerdict
from engine.api.offsets_snapshots import AlignmentPreview, PartitionAlignment
from engine.api.preview_snapshots import (
    Action,
    ConfigChange,
    Conflict,
    ConflictKind,
    Decision,
    KeptConfig,
    PreviewSnapshot,
    Rule,
    TopicPlan,
    TopicPreview,
    TopicSize,
    ValueFrom,
)
from engine.errors import ConfigError, ExitCode

ORDERS = Decision(True, Rule.INCLUDE, r"orders\..*", 2)
TEMPORARY = Decision(False, Rule.EXCLUDE, r".*\.tmp", 1)
SIZE = TopicSize(3_400_000_000, 12_345_678, 1234.5)
REFUSED = Conflict(
    ConflictKind.REFUSED,
    "INVALID_TOPIC: Topic 'orders.us' collides with existing topics: orders_us",
    blocks=True,
)
SMALL = Conflict(
    ConflictKind.MAX_MESSAGE_BYTES,
    "max.message.bytes is 1000 on the mirror, 1048588 on the source: a larger record will be "
    "refused",
    "Pin max.message.bytes for it in configs.pinned, or change the default of the target's brokers",
)


def mirrored(topic: str, action: Action, **plan: object) -> TopicPreview:
    planned = TopicPlan(topic, topic, action, 12, 0 if action == Action.CREATE else 12, 3)
    return TopicPreview(topic, 12, ORDERS, SIZE, replace(planned, **plan))


def left_out(topic: str, decision: Decision) -> TopicPreview:
    return TopicPreview(topic, 1, decision, TopicSize(None, None, None), None)


CREATED = mirrored(
    "orders.eu",
    Action.CREATE,
    target_topic="primary.orders.eu",
    configs=(
        ConfigChange("cleanup.policy", None, "compact", ValueFrom.SOURCE),
        ConfigChange("retention.ms", None, "31536000000", ValueFrom.PINNED),
        ConfigChange("min.insync.replicas", None, "1", ValueFrom.CAPPED),
    ),
)
CHANGED = mirrored(
    "orders.asia",
    Action.CONFIGURE,
    configs=(ConfigChange("flush.ms", "5000", None, ValueFrom.SOURCE),),
    kept=(KeptConfig("retention.ms", "9999", "3000"), KeptConfig("segment.ms", None, "70000")),
    conflicts=(SMALL,),
)
GROWN = mirrored("orders.uk", Action.GROW, mirror_partitions=8)
BLOCKED = mirrored("orders.us", Action.REFUSE, conflicts=(REFUSED,), mirror_partitions=0)
GONE = TopicPreview(
    "orders.old", 0, ORDERS, TopicSize(None, None, None),
    TopicPlan("orders.old", "orders.old", Action.KEEP, 0, 4, 1),
)  # fmt: skip
PREVIEW = PreviewSnapshot(
    "primary-to-dr",
    "primary",
    "dr",
    ("payments", r"orders\..*"),
    (r".*\.tmp",),
    (
        left_out("__consumer_offsets", Decision(False, Rule.INTERNAL)),
        CHANGED,
        CREATED,
        GONE,
        left_out("orders.tmp", TEMPORARY),
        GROWN,
        BLOCKED,
        *(left_out(f"stock.{n}", Decision(False, Rule.NO_MATCH)) for n in range(300)),
    ),
    ("asking for sizes on cluster primary: it tells us of no log folder. Grant DESCRIBE on it",),
    100.0,
    1.2,
)


def text(*, everything: bool = False) -> list[str]:
    return list(preview_lines(PREVIEW, everything=everything))


def test_all_of_it_reads_well_at_80_columns() -> None:
    lines = text()
    assert max(map(len, lines)) <= 80
    whole = " ".join(" ".join(lines).split())
    for said in (
        "primary-to-dr: 4 of 306 topics of primary",
        r"taken by include 2: orders\..* (4 topics)",
        r"left out by exclude 1: .*\.tmp (1 topic) orders.tmp",
        "left out: no regex matches (300 topics) stock.0, stock.1,",
        "and 288 more (--all)",
        "decides about no topic include 1: payments",
        "mirror: primary.orders.eu with 3 replicas; cleanup.policy=compact, ",
        "retention.ms=31536000000 (pinned), min.insync.replicas=1 (as many as it has replicas)",
        "flush.ms: 5000 → default",
        "retention.ms was set to 9999 on the mirror, the source has 3000: left alone",
        "segment.ms was removed on the mirror, the source has 70000: left alone",
        "conflict: max.message.bytes is 1000 on the mirror, 1048588 on the source: a larger",
        "a larger record will be refused. Pin max.message.bytes for it",
        "from 8 to 12 partitions",
        "refused: INVALID_TOPIC: Topic 'orders.us' collides with existing topics: orders_us",
        "gone from the source orders.old: its mirror orders.old is kept",
        "Grant DESCRIBE on it",
        "plan create 1 (12 partitions), grow 1, configure 1, keep 1, refuse 1, conflicts in 2",
    ):
        assert said in whole
    assert "stock.299" in "\n".join(text(everything=True))


def test_what_identical_offsets_cost_is_told_beforehand() -> None:
    """Per partition in JSON, in all and the farthest one in words."""
    rows = (
        PartitionAlignment("orders.eu", 0, 50_000_000, 41_000_000, 18.0),
        PartitionAlignment("orders.eu", 1, 5, 4, 0.1),
    )
    told = replace(PREVIEW, alignment=AlignmentPreview(rows, 41_000_004, 18.0, not_fresh=3))
    lines = list(preview_lines(told, everything=False))
    assert max(map(len, lines)) <= 80
    assert (
        "offsets identical: 2 new partitions are aligned first, 39.1 MiB of fillers in about 18 s; "
        "farthest orders.eu/0, at offset 50,000,000; 3 cannot be, their mirrors are not fresh"
    ) in " ".join(" ".join(lines).split())
    assert preview_json(told)["alignment"]["partitions"][1]["start"] == 5
    nothing = replace(PREVIEW, alignment=AlignmentPreview((), 0, 0.0, not_fresh=0))
    assert "no new mirror has to be aligned" in "\n".join(preview_lines(nothing, everything=False))


def test_the_exit_code_says_whether_a_topic_cannot_be_mirrored() -> None:
    assert exit_code(PREVIEW) == ExitCode.FAILED
    assert exit_code(replace(PREVIEW, topics=(CREATED, CHANGED, GROWN, GONE))) == ExitCode.OK


def _arguments(folder: Path, **given: list[str] | None) -> argparse.Namespace:
    section = {"source": "a", "target": "b", "topics": {"include": ["x"], "exclude": ["y"]}}
    clusters = {name: {"bootstrap_servers": ["h:1"]} for name in ("a", "b")}
    path = folder / "ccr.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "clusters": clusters, "flows": {"f": section}}))
    return argparse.Namespace(
        **{"config": str(path), "flow": "f", "include": None, "exclude": None, **given}
    )


def test_regexes_that_are_tried_replace_those_of_their_side_only(tmp_path: Path) -> None:
    assert _tried(_arguments(tmp_path)) is None
    tried = _tried(_arguments(tmp_path, include=["p", "q"]))
    assert tried is not None
    assert (tried.include, tried.exclude) == (["p", "q"], ["y"])
    tried = _tried(_arguments(tmp_path, exclude=["z"]))
    assert tried is not None
    assert (tried.include, tried.exclude) == (["x"], ["z"])


def test_a_regex_that_does_not_compile_is_shown_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _tried(_arguments(tmp_path, include=["x", r"\p{Alpha}"]))
    assert r"--include \p{Alpha}" in str(caught.value)
    assert "Java's" in str(caught.value)


def test_what_becomes_of_acls_follows_the_plan() -> None:
    rows = [
        AclRow(
            AclVerdict.CREATE, f"topic orders.{n}", "ALLOW READ for User:alice", "from all topics"
        )
        for n in range(12)
    ]
    rows.append(AclRow(AclVerdict.WITHHOLD, "topic orders.0", "ALLOW WRITE for User:bob"))
    preview = replace(PREVIEW, acls=AclPreview(12, 0, 1, 0, tuple(rows)))
    lines = list(preview_lines(preview, everything=False))
    assert max(map(len, lines)) <= 80
    at = lines.index("ACLs")
    assert lines[at + 1 : at + 4] == [
        "    create 12, withhold 1",
        "    create: topic orders.0: ALLOW READ for User:alice (from all topics)",
        "    create: topic orders.1: ALLOW READ for User:alice (from all topics)",
    ]
    assert lines[-2:] == [
        "    create: … and 2 more",
        "    withhold: topic orders.0: ALLOW WRITE for User:bob",
    ]
    whole = list(preview_lines(preview, everything=True))
    assert "    create: topic orders.11: ALLOW READ for User:alice (from all topics)" in whole
    assert "more" not in " ".join(whole[whole.index("ACLs") :])
    assert "ACLs" not in text()
