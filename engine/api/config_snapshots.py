"""What the engine tells about its configuration file, about changing it, and what that would do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """Something that is wrong, or worth knowing, at one place of the file.

    For a proposal, lines and columns are those of the text as it would be. No text repeats a value.
    """

    text: str
    path: tuple[str | int, ...] = ()  # ("flows", "x", "topics", "include", 0); empty: whole file
    line: int | None = None  # from 1
    column: int | None = None
    next_step: str = ""

    @property
    def key(self) -> str:
        """The path with dots, as forms name their fields: flows.x.topics.include.0."""
        return ".".join(map(str, self.path))


@dataclass(frozen=True, slots=True)
class ConfigDocument:
    """The file as it is written now, which need not be what the engine runs."""

    path: str  # links resolved
    digest: str  # of its bytes: what a save is based on
    values: dict[str, JsonValue]  # as written; a secret in plain text is edits.HIDDEN
    why_read_only: str  # empty: it may be changed
    what_to_do: str = ""  # about that
    is_applied: bool = True  # false: the engine runs something else; see ConfigApi.reload
    problems: tuple[ConfigProblem, ...] = ()  # not empty: it could not be applied as it is

    def section(self, name: str) -> dict[str, dict[str, JsonValue]]:
        """Return the entries of `clusters`, `flows` or `connect` by name."""
        found = self.values.get(name)
        entries = found if isinstance(found, dict) else {}
        return {key: each for key, each in entries.items() if isinstance(each, dict)}


class EffectKind(StrEnum):
    """What applying a configuration does to a flow or a cluster."""

    NOTHING = "nothing"  # goes on untouched
    CHANGE = "change in place"  # without an interruption
    START = "start"
    RESTART = "restart"  # drained, checkpointed, started again
    STOP = "stop"  # drained, checkpointed, released

    @property
    def interrupts(self) -> bool:
        """Whether records do not flow for a moment, or from then on."""
        return self in (EffectKind.RESTART, EffectKind.STOP)


class Subject(StrEnum):
    """What an effect is on."""

    CLUSTER = "cluster"
    FLOW = "flow"
    CONNECT = "Kafka Connect"


@dataclass(frozen=True, slots=True)
class Effect:
    """What applying does to one cluster or flow; every one of both configurations is listed."""

    subject: Subject
    name: str
    kind: EffectKind
    why: str = ""  # empty for NOTHING: "topics.include, limits", "its target dr changes"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What edits would make of the file, and of the running engine. Nothing was changed."""

    digest: str  # of the file that the edits were tried on
    diff: str  # unified, secrets hidden; empty: the file already says so
    problems: tuple[ConfigProblem, ...] = ()
    warnings: tuple[ConfigProblem, ...] = ()
    effects: tuple[Effect, ...] = ()  # empty with problems

    @property
    def may_be_saved(self) -> bool:
        """Whether there is something to save, and nothing wrong with it."""
        return bool(self.diff) and not self.problems


@dataclass(frozen=True, slots=True)
class Applied:
    """What a save or a reload did, or (`dry_run`) would do."""

    digest: str  # of the file as it is applied
    changed: bool  # whether the engine runs anything else than before
    text: str  # in a sentence
    effects: tuple[Effect, ...] = ()
    warnings: tuple[ConfigProblem, ...] = ()
    notes: tuple[str, ...] = field(default=())  # what did not go as it should, e.g. not drained
    dry_run: bool = False
