"""What a flow would do with ACLs, and what it leaves and why (docs/acls.md)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AclVerdict(StrEnum):
    """What becomes of an ACL."""

    CREATE = "create"
    REMOVE = "remove"
    WITHHOLD = "withhold"  # until promotion
    LEAVE = "leave alone"


@dataclass(frozen=True, slots=True)
class AclRow:
    """One ACL of the target, or of the source where nothing comes of it."""

    verdict: AclVerdict
    object: str  # e.g. topic orders
    text: str  # e.g. ALLOW READ for User:alice
    why: str = ""  # where it comes from, why it is left, what to do


@dataclass(frozen=True, slots=True)
class AclPreview:
    """All of them: how many, and of each verdict the first thousand."""

    create: int
    remove: int
    withhold: int
    leave: int
    rows: tuple[AclRow, ...]
