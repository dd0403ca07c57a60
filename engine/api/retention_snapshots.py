"""What is told of records that the source would delete before they are mirrored."""

from __future__ import annotations

from dataclasses import dataclass

SOON_S = 24 * 3600.0
"""What is overtaken within so many seconds needs someone today."""


@dataclass(frozen=True, slots=True)
class Overtaking:
    """When retention reaches what is not mirrored, if things go on as they do now.

    At the earliest: brokers delete whole segments, and look for them only every few minutes.
    """

    at: float  # seconds since the epoch; in the past: at any moment
    by: str  # the source topic's config: retention.ms or retention.bytes
    gone_records: int = 0  # source offsets that were deleted already, not mirrored


@dataclass(frozen=True, slots=True)
class FlowOvertaking:
    """The partition of a flow that is overtaken first, and how many are within a day."""

    topic: str
    partition: int
    first: Overtaking
    partitions: int
