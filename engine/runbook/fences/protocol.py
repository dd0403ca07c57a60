"""What every fence does, what is chosen of it, and what is remembered to lift it.

A fence keeps producers from writing to the topics of a flow on its source. The order of calls:
`examine` (any number of times; changes nothing), `record` once, the record journaled, then
`raise_up`, `stands` and `lift` with that record, each as often as needed and from any process: a
record says all that is needed to lift the fence, whatever has become of the configuration.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from engine.config.switch_section import FenceKind
from engine.kafka.acl_bindings import EVERYONE
from engine.runbook.findings import Finding

COMMAND_TIMEOUT_S = 60.0


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AclChoice(_Model):
    """DENY WRITE on the topics."""

    kind: Literal[FenceKind.ACL] = FenceKind.ACL
    principals: tuple[str, ...] = (EVERYONE,)
    """As Kafka writes them: `User:orders`."""


class MaxMessageBytesChoice(_Model):
    """max.message.bytes = 78 on the topics."""

    kind: Literal[FenceKind.MAX_MESSAGE_BYTES] = FenceKind.MAX_MESSAGE_BYTES


class CommandChoice(_Model):
    """Commands of the operator's own, run by /bin/sh; both may be run again and again."""

    kind: Literal[FenceKind.COMMAND] = FenceKind.COMMAND
    raise_command: str = Field(min_length=1)
    lift_command: str = Field(min_length=1)
    timeout_s: float = Field(default=COMMAND_TIMEOUT_S, gt=0, allow_inf_nan=False)


class ManualChoice(_Model):
    """What a person does, in a sentence each."""

    kind: Literal[FenceKind.MANUAL] = FenceKind.MANUAL
    raise_by: str = Field(min_length=1)
    lift_by: str = Field(min_length=1)


FenceChoice = Annotated[
    AclChoice | MaxMessageBytesChoice | CommandChoice | ManualChoice, Field(discriminator="kind")
]


class _Record(_Model):
    flow: str
    source: str
    """The cluster's name."""
    topics: tuple[str, ...]
    """That were fenced: those of the flow that were there when it was recorded."""


class AclRecord(_Record):
    """Which denials are ours, and which were there before."""

    kind: Literal[FenceKind.ACL] = FenceKind.ACL
    principals: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]
    """Topic and principal whose DENY WRITE was there before: it stays when the fence is lifted."""
    others: tuple[str, ...]
    """Other denials of writes to these topics that were there before, in words."""


class MaxMessageBytesRecord(_Record):
    """What was set on the topics themselves; None where nothing was."""

    kind: Literal[FenceKind.MAX_MESSAGE_BYTES] = FenceKind.MAX_MESSAGE_BYTES
    before: Mapping[str, str | None]


class CommandRecord(_Record):
    """The commands, as they were when the fence was chosen."""

    kind: Literal[FenceKind.COMMAND] = FenceKind.COMMAND
    raise_command: str
    lift_command: str
    timeout_s: float


class ManualRecord(_Record):
    """The sentences, as they were when the fence was chosen."""

    kind: Literal[FenceKind.MANUAL] = FenceKind.MANUAL
    raise_by: str
    lift_by: str


FenceRecord = Annotated[
    AclRecord | MaxMessageBytesRecord | CommandRecord | ManualRecord, Field(discriminator="kind")
]
CHOICE: TypeAdapter[FenceChoice] = TypeAdapter(FenceChoice)
RECORD: TypeAdapter[FenceRecord] = TypeAdapter(FenceRecord)
"""`RECORD.dump_json(record)` and `RECORD.validate_json(text)` are how a journal keeps it."""

Ask = Callable[[str], Awaitable[None]]
"""Tell the operator what to do; returns when he said that it is done, raises when he will not."""


@dataclass(frozen=True, slots=True)
class Done:
    """What raising or lifting did, in a sentence; what was left alone; what a command printed."""

    text: str
    findings: tuple[Finding, ...] = ()
    output: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Whether a fence stands."""

    stands: bool | None
    """None: it cannot be told from here; only end offsets that stand still tell (`standing`)."""
    text: str
    open_topics: tuple[str, ...] = ()
    """That were fenced and are not, as a broker tells."""
    outside: tuple[str, ...] = ()
    """Topics of the flow that were not fenced: they came after it."""


class Fence(Protocol):
    """One fence around a flow's topics. Every method raises CcrError and may be cancelled."""

    @property
    def kind(self) -> FenceKind:
        """Which."""

    async def examine(self) -> list[Finding]:
        """Return everything that would stop it, and what it does not keep out. Changes nothing."""

    async def record(self) -> FenceRecord:
        """Return what is there before. Changes nothing."""

    async def raise_up(self, record: FenceRecord) -> Done:
        """Keep producers out; nothing happens where that is so already.

        When it raises, some topics may be fenced: `lift` puts that right.
        """

    async def lift(self, record: FenceRecord) -> Done:
        """Restore what was before; what others changed meanwhile is left alone, and told.

        When it raises, the rest was restored; it is to be called again.
        """

    async def stands(self, record: FenceRecord, topics: Collection[str] = ()) -> Evidence:
        """Look whether it stands; `topics` are those that the flow has now."""
