"""What a flow's runbooks do: fences, verification, the operator's own commands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, StrictBool, model_validator

from engine.config.fields import Model, Seconds, Text
from engine.config.units import within_seconds


class FenceKind(StrEnum):
    """How producers are kept from writing to the source."""

    MAX_MESSAGE_BYTES = "max-message-bytes"
    ACL = "acl"
    COMMAND = "command"
    MANUAL = "manual"


class VerifyExtent(StrEnum):
    """How much is compared before a promotion."""

    SAMPLE = "sample"
    FULL = "full"
    NONE = "none"


class SwitchConfig(Model):
    """How the flow's target becomes the primary."""

    noun: ClassVar[str] = "a switch section"

    fence: FenceKind = FenceKind.MAX_MESSAGE_BYTES
    """What keeps producers out during a planned switch."""
    fence_raise: Annotated[Text | None, Field(repr=False)] = None
    """Shell command that keeps producers out, with fence: command; may be run again and again."""
    fence_lift: Annotated[Text | None, Field(repr=False)] = None
    """Shell command that lets them in again; likewise."""
    fence_timeout: Annotated[Seconds, AfterValidator(within_seconds("1s", "1h"))] = 60.0
    """How long either may take, e.g. 1m."""
    fence_principals: Annotated[list[Text], Field(min_length=1)] = ["User:*"]  # noqa: RUF012  (pydantic copies it)
    """Whom fence: acl keeps out, as Kafka writes them, e.g. User:orders."""
    drain_timeout: Annotated[Seconds, AfterValidator(within_seconds("1s", "24h"))] = 600.0
    """How long a planned switch waits for producers to stand and lag to fall to 0, e.g. 10m."""
    verify: VerifyExtent = VerifyExtent.SAMPLE
    """How much is compared before a planned promotion: sample, full or none."""
    cut_over: Annotated[Text | None, Field(repr=False)] = None
    """Shell command that moves clients to the target; without one their settings are told."""
    cut_over_timeout: Annotated[Seconds, AfterValidator(within_seconds("1s", "24h"))] = 60.0
    """How long that command may take, e.g. 1m."""
    reverse: StrictBool = True
    """Mirror the other way after a planned switch."""

    @model_validator(mode="after")
    def _command_is_there(self) -> SwitchConfig:
        if self.fence is FenceKind.COMMAND and not (self.fence_raise and self.fence_lift):
            raise ValueError("fence: command needs fence_raise and fence_lift")
        return self
