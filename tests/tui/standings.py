"""What the scripted engine tells of losses and of consumer groups."""

from __future__ import annotations

from dataclasses import replace

from engine.api.group_snapshots import (
    GroupPartitionSnapshot,
    GroupSnapshot,
    GroupsPage,
    GroupState,
)
from engine.api.loss_snapshots import GroupLoss, LossPoint, LossSnapshot, PartitionLoss, TopicLoss
from engine.api.snapshots import PartitionState, Reason

LISTED = (
    PartitionLoss("orders.eu", 0, PartitionState.RUNNING, 1_000_000, 1_000_000, 0, 0, 0.0, 0.0),
    PartitionLoss(
        "orders.eu", 1, PartitionState.STOPPED, 1_001_000, 999_000, 2_000, 480_000, 312.0, 0.0
    ),
    PartitionLoss(
        "orders.eu", 2, PartitionState.RUNNING, 1_002_000, 1_000_796, 1_204, 289_000, 0.8, 0.0
    ),
)
TOPICS = (
    TopicLoss("orders.eu", 3_204, 769_000, 312.0, 2, 1, False),
    TopicLoss("orders.us", 5, None, 0.1, 1, 0, True),
)
GROUP_PARTITIONS = (
    GroupPartitionSnapshot("orders.eu", 0, "orders.eu", 999_990, "", 999_990, 999_990, 0, 0, 0, ""),
    GroupPartitionSnapshot(
        "orders.eu", 1, "orders.eu", 1_000_900, "m", 998_000, 997_500, 500, 0, 100,
        "the partition is stopped: what the group has read is not on dr yet",
    ),
)  # fmt: skip
GROUPS = (
    GroupSnapshot(
        "billing", "classic", GroupState.BEHIND, None, "Stable", "Empty", 500, 0, 100,
        GROUP_PARTITIONS,
    ),
    GroupSnapshot(
        "audit", "consumer", GroupState.IN_STEP, None, "Stable", "", 0, 0, 0, GROUP_PARTITIONS[:1]
    ),
    GroupSnapshot(
        "dashboards", "classic", GroupState.ACTIVE,
        Reason("it has members on dr", "It is left alone; stop them there to have it follow."),
        "Empty", "Stable", None, 12, None, (),
    ),
    GroupSnapshot(
        "parcels", "share", GroupState.SHARE,
        Reason("share groups keep no offsets that could be translated", ""),
        "Stable", "", None, 0, None, (),
    ),
)  # fmt: skip


def loss_now(flow: str, topic: str | None, now: float) -> LossSnapshot:
    """Something would be lost, most of it where a partition is stopped."""
    return LossSnapshot(
        flow,
        "primary",
        "dr",
        3_209,
        769_500,
        312.0,
        6,
        1,
        2,
        TOPICS,
        now - 1.0,
        now,
        False,
        False,
        "",
        tuple(replace(each, looked_at=now) for each in LISTED if each.topic == topic),
        (GroupLoss("billing", 500, 100), GroupLoss("audit", 0, 0)),
        now - 2.0,
        500,
        LossPoint(now - 1_200, 12_345, 2_963_000, 30.0),
    )


def groups_now(flow: str, now: float) -> GroupsPage:
    """Four groups, of which one follows."""
    return GroupsPage(flow, True, now - 3.0, 0.2, None, GROUPS)
