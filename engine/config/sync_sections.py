"""What a flow keeps in step besides the records: sync, groups, configs, acls, mm2."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, StrictBool

from engine.config.fields import Model, Seconds, Text
from engine.config.regexes import Regex
from engine.config.units import within_seconds


class SyncConfig(Model):
    """What is kept in step besides the records."""

    noun: ClassVar[str] = "a sync section"

    configs: StrictBool = True
    """Topic configs; see configs."""
    acls: StrictBool = False
    """ACLs of topics and groups; see acls."""
    groups: StrictBool = True
    """Consumer groups' committed offsets; see groups."""
    deletions: StrictBool = False
    """Delete a mirror topic after its source topic was deleted; otherwise that is only shown."""


class GroupsConfig(Model):
    """Which consumer groups, and how."""

    noun: ClassVar[str] = "a groups section"

    include: list[Regex] = [".*"]  # noqa: RUF012  (pydantic copies it)
    """Regexes (Python's); a group is taken when one matches its whole name."""
    exclude: list[Regex] = []  # noqa: RUF012  (as above)
    """Regexes (Python's); a group is left out when one matches its whole name."""
    interval: Annotated[Seconds, AfterValidator(within_seconds("500ms", "1h"))] = 5.0
    """How often offsets are translated and committed, e.g. 5s."""
    rewind: StrictBool = False
    """Follow a group that was reset backwards on the source; otherwise that is only shown."""


class ConfigsConfig(Model):
    """Which topic configs are kept in step, and which are pinned."""

    noun: ClassVar[str] = "a configs section"

    include: list[Regex] = [".*"]  # noqa: RUF012  (as above)
    """Regexes (Python's) of config names that are kept in step."""
    exclude: list[Regex] = []  # noqa: RUF012  (as above)
    """Regexes (Python's) of config names that are left alone."""
    pinned: dict[Regex, dict[Text, Text]] = {}  # noqa: RUF012  (as above)
    """By regex of mirror topics: config names and the values they have whatever the source says;
    the first that names a config counts."""
    overwrite: StrictBool = False
    """Undo what was changed on a mirror itself; otherwise that is left alone, and shown."""
    interval: Annotated[Seconds, AfterValidator(within_seconds("500ms", "1h"))] = 30.0
    """How often configs are compared, e.g. 30s."""


def _known_groups(principals: dict[str, str]) -> dict[str, str]:
    for pattern, template in principals.items():
        try:
            re.compile(pattern).sub(template, "")
        except (re.error, IndexError) as error:
            raise ValueError(
                f"what {pattern!r} is made to names a group that the regex lacks ({error})"
            ) from None
    return principals


class AclsConfig(Model):
    """How ACLs are carried over."""

    noun: ClassVar[str] = "an acls section"

    principals: Annotated[dict[Regex, str], AfterValidator(_known_groups)] = {}  # noqa: RUF012
    """Regex of a source principal to the target's, e.g. 'User:(.*)@east': 'User:\\1@west'; the
    first that matches the whole principal counts."""
    own_principal: Annotated[str, Field(pattern=r"^[^:]+:([^*].*|\*.+)$")] | None = None
    """Who the target takes ccr for, e.g. User:CN=ccr; needed with certificates and OAUTHBEARER."""
    interval: Annotated[Seconds, AfterValidator(within_seconds("1s", "1h"))] = 60.0
    """How often ACLs are compared, e.g. 60s."""


class HeartbeatsOn(StrEnum):
    """Where MirrorMaker 2's heartbeats are written."""

    TARGET = "target"
    BOTH = "both"


class OffsetSyncsOn(StrEnum):
    """Where MirrorMaker 2's offset syncs are written."""

    SOURCE = "source"
    TARGET = "target"


class Mm2Config(Model):
    """MirrorMaker 2's own topics, for clients that read them; all off unless asked for."""

    noun: ClassVar[str] = "an mm2 section"

    heartbeats: HeartbeatsOn | None = None
    """Write `heartbeats` each second, on the target or on both clusters, and mirror the source's as
    `<source>.heartbeats`; neither when left out."""
    checkpoints: StrictBool = False
    """Write `<source>.checkpoints.internal` on the target."""
    offset_syncs: OffsetSyncsOn | None = None
    """Write mm2-offset-syncs.….internal on the source or the target; not when left out."""
