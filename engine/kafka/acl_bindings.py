"""What an ACL says: a pattern of resources, a principal, a host, an operation, ALLOW or DENY.

Numbers: `clients/.../common/acl/AclOperation.java`, `AclPermissionType.java`,
`.../common/resource/ResourceType.java` and `PatternType.java`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from engine.printable import printable

EVERYONE = "User:*"
ANY_NAME = "*"  # a literal pattern of this name matches every resource
ANY_HOST = "*"


class ResourceType(IntEnum):
    """The kinds of resources that ccr looks at."""

    TOPIC = 2
    GROUP = 3


class PatternType(IntEnum):
    """How a binding's resource name is meant."""

    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """Kafka's operations; what a newer broker adds is UNKNOWN."""

    UNKNOWN = 0
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15

    @classmethod
    def _missing_(cls, value: object) -> Operation:
        return cls.UNKNOWN


class Permission(IntEnum):
    """What a binding does."""

    DENY = 2
    ALLOW = 3


# Tuples: sets of a hundred thousand are compared, and hashed by C.
class Pattern(NamedTuple):
    """The resources that a binding is about."""

    resource: ResourceType
    name: str
    kind: PatternType = PatternType.LITERAL

    @property
    def is_literal(self) -> bool:
        """Whether it means one resource."""
        return self.kind == PatternType.LITERAL and self.name != ANY_NAME

    @property
    def prefix(self) -> str:
        """What the names begin with that it matches, unless it is literal."""
        return "" if self.name == ANY_NAME and self.kind == PatternType.LITERAL else self.name

    def matches(self, name: str) -> bool:
        """Whether it is about a resource of that name."""
        return self.name == name if self.is_literal else name.startswith(self.prefix)

    def overlaps(self, other: Pattern) -> bool:
        """Whether one resource can be in both."""
        if self.resource != other.resource:
            return False
        if self.is_literal:
            return other.matches(self.name)
        if other.is_literal:
            return self.matches(other.name)
        return self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)

    def __str__(self) -> str:
        """Say it as people do."""
        kind = self.resource.name.lower()
        if self.is_literal:
            return printable(f"{kind} {self.name}")
        return printable(f"{kind}s {self.prefix}*") if self.prefix else f"all {kind}s"


class AclBinding(NamedTuple):
    """One ACL."""

    pattern: Pattern
    principal: str
    host: str
    operation: Operation
    permission: Permission

    def __str__(self) -> str:
        """Say it in the words of kafka-acls, without the resource."""
        host = "" if self.host == ANY_HOST else f" from {self.host}"
        return printable(f"{self.permission.name} {self.operation.name} for {self.principal}{host}")
