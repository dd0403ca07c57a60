"""What goes over the control socket: snapshots, commands and errors as JSON.

Snapshots are written and read by pydantic from the frozen dataclasses themselves, so that the two
sides and `--json` cannot drift apart. Fields a reader does not know are ignored: adding one is no
break, anything else is and needs another API_VERSION.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter

from engine.api.group_snapshots import GroupSnapshot, GroupsPage
from engine.api.kept_snapshots import EventsPage, LogPage
from engine.api.loss_snapshots import HistorySnapshot, LossSnapshot
from engine.api.preview_snapshots import PreviewSnapshot, SelectionSnapshot, TopicPreview
from engine.api.snapshots import (
    CommandResult,
    EngineSnapshot,
    Event,
    PartitionSnapshot,
    PartitionsPage,
)
from engine.config.flow_section import FlowConfig, TopicSelection
from engine.errors import (
    CcrError,
    ConfigError,
    ConnectError,
    KafkaError,
    RefusedError,
    SandboxError,
)

API_VERSION = "1"
API_VERSION_HEADER = "ccr-api-version"
CCR_VERSION_HEADER = "ccr-version"
JSON = "application/json"
_Row = TypeVar("_Row")
ROWS_A_CHUNK = 500  # about 1 ms of the engine's event loop
GROUPS_A_CHUNK = 5

SNAPSHOT = TypeAdapter(EngineSnapshot)
EVENTS = TypeAdapter(tuple[Event, ...])
OLDER_EVENTS = TypeAdapter(EventsPage)
LOG = TypeAdapter(LogPage)
PAGE = TypeAdapter(PartitionsPage)
GROUPS = TypeAdapter(GroupsPage)
LOSS = TypeAdapter(LossSnapshot)
HISTORY = TypeAdapter(HistorySnapshot)
SELECTION = TypeAdapter(SelectionSnapshot)
PREVIEW = TypeAdapter(PreviewSnapshot)
RESULT = TypeAdapter(CommandResult)
ROWS = TypeAdapter(tuple[PartitionSnapshot, ...])
GROUP_ROWS = TypeAdapter(tuple[GroupSnapshot, ...])
PREVIEWED = TypeAdapter(tuple[TopicPreview, ...])


class Body(BaseModel):
    """What a request takes: nothing but its fields, and each of its type."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class RetryBody(Body):
    """What POST …/retry takes; nothing means the whole flow."""

    topic: str | None = None
    partition: Annotated[int, Field(ge=0)] | None = None
    accept: bool = False


class LimitBody(Body):
    """What POST …/limit takes; null lifts the limit; `topics` is a regex, for each that matches."""

    bytes_per_second: Annotated[int, Field(ge=1)] | None
    topics: str | None = None


class SecretBody(Body):
    """What POST /v1/clusters/CLUSTER/secret takes."""

    key: str
    value: SecretStr


class TriedBody(Body):
    """What POST …/select and …/preview take; nothing means the flow's own regexes."""

    topics: TopicSelection | None = None
    section: FlowConfig | None = None

    @property
    def tried(self) -> TopicSelection | FlowConfig | None:
        """The one of the two that was given."""
        return self.section or self.topics


class EmptyBody(Body):
    """What the other commands take."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error's JSON."""

    kind: str  # config, connect, refused, kafka, sandbox, internal
    operation: str
    object: str
    cause: str
    next_step: str = ""
    retriable: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """What an embedded engine tells its parent when it can be asked."""

    socket: str
    log: str | None  # None: no log file can be written


READY = TypeAdapter(Ready)
_ERROR = TypeAdapter(ErrorBody)
_CLASSES: dict[str, type[CcrError]] = {
    "config": ConfigError,
    "connect": ConnectError,
    "refused": RefusedError,
    "kafka": KafkaError,
    "sandbox": SandboxError,
    "internal": CcrError,
}


def dump_error(error: CcrError) -> bytes:
    """Write an error; a class this list does not name goes as its nearest ancestor."""
    kind = next(kind for kind, class_ in _CLASSES.items() if isinstance(error, class_))
    return _ERROR.dump_json(
        ErrorBody(
            kind, error.operation, error.object, error.cause, error.next_step, error.retriable
        )
    )


def load_error(body: bytes) -> CcrError:
    """Read an error back as the class it was; raises pydantic.ValidationError."""
    read = _ERROR.validate_json(body)
    class_ = _CLASSES.get(read.kind, CcrError)
    return class_(read.operation, read.object, read.cause, read.next_step, retriable=read.retriable)


def page_chunks(page: PartitionsPage) -> Iterator[bytes]:
    """Write a page in pieces, so that 10,000 partitions don't hold up the event loop in one go."""
    head = PAGE.dump_json(page, exclude={"partitions"})
    return chunks(head, "partitions", ROWS, page.partitions)


def groups_chunks(page: GroupsPage) -> Iterator[bytes]:
    """Write groups in pieces, likewise; each has many partitions."""
    head = GROUPS.dump_json(page, exclude={"groups"})
    return chunks(head, "groups", GROUP_ROWS, page.groups, GROUPS_A_CHUNK)


def preview_chunks(preview: PreviewSnapshot) -> Iterator[bytes]:
    """Write a preview in pieces, likewise."""
    head = PREVIEW.dump_json(preview, exclude={"topics"})
    return chunks(head, "topics", PREVIEWED, preview.topics)


def chunks(
    head: bytes,
    key: str,
    adapter: TypeAdapter[tuple[_Row, ...]],
    rows: tuple[_Row, ...],
    at_once: int = ROWS_A_CHUNK,
) -> Iterator[bytes]:
    """Write rows into an object, `head`, under a key, so many at once."""
    yield head[:-1] + f',"{key}":['.encode()
    for start in range(0, len(rows), at_once):
        written = adapter.dump_json(rows[start : start + at_once])[1:-1]
        yield b"," + written if start else written
    yield b"]}"
