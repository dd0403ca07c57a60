"""The `flows` section: what is mirrored, and how."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StrictInt,
    Tag,
)

from engine.config.fields import ByteSize, Model, Name, Seconds
from engine.config.regexes import Regex
from engine.config.switch_section import SwitchConfig
from engine.config.sync_sections import (
    AclsConfig,
    ConfigsConfig,
    GroupsConfig,
    Mm2Config,
    SyncConfig,
)
from engine.config.units import within_bytes, within_seconds


class TopicSelection(Model):
    """Which topics: full matches, exclude wins, internal topics never unless named as they are."""

    noun: ClassVar[str] = "a topics section"

    include: Annotated[list[Regex], Field(min_length=1)] = [".*"]  # noqa: RUF012  (pydantic copies it)
    """Regexes (Python's); a topic is taken when one matches its whole name."""
    exclude: list[Regex] = []  # noqa: RUF012  (as above)
    """Regexes (Python's); a topic is left out when one matches its whole name."""


class Rename(StrEnum):
    """How mirror topics are named."""

    IDENTITY = "identity"
    PREFIX = "prefix"


class Origin(StrEnum):
    """Whose records a flow takes, of those that its source has."""

    LOCAL = "local"
    ANY = "any"


class StartAt(StrEnum):
    """Where a partition that was never mirrored begins."""

    EARLIEST = "earliest"
    LATEST = "latest"


TIME_FORM = "must be an ISO 8601 time with a time zone, e.g. 2026-11-01T00:00:00Z"


def _not_a_number(value: object) -> object:
    # Seconds or milliseconds? pydantic would guess.
    if isinstance(value, int | float):
        raise ValueError(TIME_FORM)  # noqa: TRY004  (pydantic collects ValueError only)
    return value


def _with_zone(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("needs a time zone: add Z for UTC, or e.g. +02:00")
    return value


class StartTimestamp(Model):
    """Begin with the first record at or after a time."""

    noun: ClassVar[str] = "a start section"

    timestamp: Annotated[
        datetime,
        BeforeValidator(_not_a_number, json_schema_input_type=datetime),
        AfterValidator(_with_zone),
    ]
    """ISO 8601 with a time zone, e.g. 2026-11-01T00:00:00Z."""


class StartOffset(Model):
    """Begin at an offset, the same for every partition (clamped to what the source still has)."""

    noun: ClassVar[str] = "a start section"

    offset: Annotated[StrictInt, Field(ge=0, lt=2**63)]
    """Source offset."""


START_FORMS = "must be earliest, latest, {timestamp: …} or {offset: …}"


def _start_form(value: object) -> str | None:
    """Choose the form that a `start` was meant to have, so that errors speak of that one only."""
    match value:
        case StartAt() | "earliest" | "latest":
            return "<word>"
        case StartTimestamp():
            return "<timestamp>"
        case StartOffset():
            return "<offset>"
        case Mapping():
            return {("timestamp",): "<timestamp>", ("offset",): "<offset>"}.get(tuple(value))
        case _:
            return None


Start = Annotated[
    Annotated[StartAt, Tag("<word>")]
    | Annotated[StartTimestamp, Tag("<timestamp>")]
    | Annotated[StartOffset, Tag("<offset>")],
    Discriminator(_start_form, custom_error_type="start_form", custom_error_message=START_FORMS),
]


class OnGap(StrEnum):
    """What to do when the source has lost records before they were mirrored."""

    STOP = "stop"
    SKIP = "skip"


class OnRecreate(StrEnum):
    """What to do when a source topic was deleted and created anew."""

    STOP = "stop"
    RESTART = "restart"


class OnPoison(StrEnum):
    """What to do with what cannot be mirrored."""

    STOP = "stop"
    QUARANTINE = "quarantine"


class LimitsConfig(Model):
    """How much a flow may take."""

    noun: ClassVar[str] = "a limits section"

    bytes_per_second: ByteSize | None = None
    """Rate limit over the whole flow, e.g. 50MiB; none when left out."""
    topics: dict[Regex, ByteSize] = {}  # noqa: RUF012  (pydantic copies it)
    """Regex to rate: what each topic may take whose whole name matches; the first match counts."""
    buffer_bytes: Annotated[ByteSize, AfterValidator(within_bytes("1MiB", "4GiB"))] = (
        32 * 1024 * 1024
    )
    """Most bytes held between fetch and acknowledgement, e.g. 32MiB."""
    connections: Annotated[StrictInt, Field(ge=1, le=32)] = 4
    """Produce connections to each target broker."""


class VerifyConfig(Model):
    """Comparing mirrors with their sources while the flow runs."""

    noun: ClassVar[str] = "a verify section"

    bytes_per_second: ByteSize | None = None
    """How much to read for it, both sides together, e.g. 1MiB; off when left out."""


class Offsets(StrEnum):
    """Which offsets mirrored records get."""

    TRANSLATE = "translate"
    IDENTICAL = "identical"


class ConflictsConfig(Model):
    """Detecting keys that are written on both sides of an active-active pair."""

    noun: ClassVar[str] = "a conflicts section"

    window: Annotated[Seconds, AfterValidator(within_seconds("100ms", "1h"))] | None = None
    """Writes of one key on both sides within this time are a conflict, e.g. 10s; off by default."""


class FlowConfig(Model):
    """One direction, source to target."""

    noun: ClassVar[str] = "a flow"

    source: Name
    """Cluster to read from."""
    target: Name
    """Cluster to write to."""
    topics: TopicSelection = TopicSelection()
    """Which topics; all that are not internal when left out."""
    rename: Rename = Rename.IDENTITY
    """identity: same names; prefix: <source>.<topic>."""
    origin: Origin = Origin.LOCAL
    """local: what was first written on the source; any: what other flows brought there, too (never
    in a ring). With rename: prefix, names decide."""
    start: Start = StartAt.EARLIEST
    """earliest, latest, {timestamp: …} or {offset: …}, for partitions never mirrored before."""
    isolation: Literal["read_committed", "read_uncommitted"] = "read_committed"
    """read_committed leaves out aborted transactions and waits for open ones."""
    on_gap: OnGap = OnGap.STOP
    """When retention overtook replication: stop the partition, or skip what is lost and say so."""
    on_recreate: OnRecreate = OnRecreate.STOP
    """When a source topic was deleted and created anew: stop its partitions, or restart with it."""
    on_poison: OnPoison = OnPoison.STOP
    """What cannot be mirrored: stop the partition, or quarantine the record and go on."""
    replication_factor: Annotated[StrictInt, Field(ge=1, le=32767)] | None = None
    """Of created topics; the source's, capped by the target's brokers, when left out."""
    topic_refresh: Annotated[Seconds, AfterValidator(within_seconds("500ms", "1h"))] = 5.0
    """How often topics and partitions are looked up, e.g. 5s."""
    checkpoint_interval: Annotated[Seconds, AfterValidator(within_seconds("50ms", "1m"))] = 1.0
    """How often progress is written to the state topic, e.g. 1s."""
    limits: LimitsConfig = LimitsConfig()
    """Rate and memory."""
    sync: SyncConfig = SyncConfig()
    """Besides the records: topic configs, ACLs, groups."""
    configs: ConfigsConfig = ConfigsConfig()
    """Which topic configs, and pinned values."""
    acls: AclsConfig = AclsConfig()
    """How ACLs are carried over, if at all."""
    groups: GroupsConfig = GroupsConfig()
    """Which consumer groups, and how often."""
    offsets: Offsets = Offsets.TRANSLATE
    """translate: by the offset map; identical: new mirrors get the source's very offsets."""
    conflicts: ConflictsConfig = ConflictsConfig()
    """Looking for keys written on both sides, where the same topics are mirrored both ways."""
    mm2: Mm2Config = Mm2Config()
    """MirrorMaker 2's own topics."""
    switch: SwitchConfig = SwitchConfig()
    """Promotion and failover."""
    verify: VerifyConfig = VerifyConfig()
    """Comparing mirrors with their sources all the time; off when left out."""
