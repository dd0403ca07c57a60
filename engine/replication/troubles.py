"""What can keep a partition from going on by itself; a flow's policies say what is done then."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from engine.api.snapshots import SkippedRange
from engine.kafka.codes import Code
from engine.kafka.metadata import NO_TOPIC_ID

# The target refuses what a batch holds: sending it again is of no use.
POISON = frozenset(
    {
        Code.MESSAGE_TOO_LARGE,
        Code.RECORD_LIST_TOO_LARGE,
        Code.INVALID_TIMESTAMP,
        Code.INVALID_RECORD,
    }
)
MAX_SKIPPED = 32  # ranges kept by partition; their sum is kept for ever


@dataclass(frozen=True, slots=True)
class OutOfRange:
    """The source does not have the offset that comes next."""


@dataclass(frozen=True, slots=True)
class Truncated:
    """The source lost what it had from `end` on, and it was mirrored already."""

    end: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A batch of the source that cannot be taken apart."""

    first: int  # source offset
    next_offset: int | None  # behind it; None when that cannot be known
    why: str
    batch: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A batch that the target refuses for what it holds."""

    first: int  # source offset
    next_offset: int  # behind it
    offsets: tuple[int, ...]  # each record's on the source
    why: str
    error: int
    batch: bytes  # as it was sent


@dataclass(frozen=True, slots=True)
class UnknownOrigin:
    """A batch that a flow of ccr wrote into the source, and it is not known which."""

    producer_id: int
    offset: int  # source offset


def remedy(error: int) -> str:
    """Return what an operator can do about a refusal by the target, before he tries again."""
    match error:
        case Code.TOPIC_AUTHORIZATION_FAILED:
            return "Grant WRITE on the mirror topic"
        case Code.UNSUPPORTED_COMPRESSION_TYPE:
            return "Set compression.type of the mirror topic to producer"
        case Code.MESSAGE_TOO_LARGE | Code.RECORD_LIST_TOO_LARGE:
            return "Raise max.message.bytes of the mirror topic"
        case Code.INVALID_TIMESTAMP:
            return "Widen message.timestamp.before.max.ms and .after.max.ms of the mirror topic"
        case Code.INVALID_RECORD:
            return (
                "A compacted mirror topic takes no records without a key: change its cleanup.policy"
            )
        case _:
            return "Remove the cause on the target"


Trouble = OutOfRange | Truncated | Unreadable | Refused | UnknownOrigin


@dataclass(frozen=True, slots=True)
class Began:
    """Where a mirror began whose offsets are to be identical, and why elsewhere than its source."""

    source: int
    target: int
    why: str = ""


@dataclass(slots=True)
class History:
    """What is known of a partition's two logs beyond positions; kept in its checkpoint."""

    source_id: UUID = NO_TOPIC_ID
    target_id: UUID = NO_TOPIC_ID
    source_epoch: int = -1  # leader epoch of the newest record that was read
    skipped: list[SkippedRange] = field(default_factory=list)  # newest last
    skipped_records: int = 0  # offsets of the source that were left out, in all
    quarantined: int = 0  # records
    foreign: int = 0  # records in the mirror, between ours, that somebody else wrote
    left_out: int = 0  # records of the source that another flow had mirrored into it
    dropped_at: int = -1  # first source offset of the first batch dropped as of no use to readers
    began: Began | None = None  # None: offsets are translated
    looked_to: int = 0  # target offset; see pump.AlreadyThere

    def skip(self, skipped: SkippedRange) -> None:
        """Note a range of the source that is left out for good."""
        self.skipped.append(skipped)
        del self.skipped[:-MAX_SKIPPED]
        self.skipped_records += skipped.end - skipped.first
