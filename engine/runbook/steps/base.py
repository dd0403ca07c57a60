"""What every step of a runbook is, and what it may say while it acts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from engine.api.runbook_snapshots import RunFinding, StepName
from engine.errors import CcrError
from engine.runbook.situation import Situation


class StepFailedError(CcrError):
    """What a step found stands against going on."""


class Telling(Protocol):
    """How a step tells of itself; what is kept is journaled before `keep` returns."""

    @property
    def run_id(self) -> str:
        """The run."""
        ...

    @property
    def by(self) -> str:
        """Who began it."""
        ...

    @property
    def kept(self) -> Mapping[str, Any]:
        """What this step keeps: by an earlier try, too, or by an engine that has died."""
        ...

    def kept_by(self, step: StepName) -> Mapping[str, Any]:
        """What another step keeps."""
        ...

    async def keep(self, **values: Any) -> None:
        """Remember plain values for whoever goes on, or undoes this."""
        ...

    def waits_for(self, text: str) -> None:
        """Say what is waited for."""
        ...

    def found(self, *evidence: str) -> None:
        """Say what was seen."""
        ...

    async def ask(self, text: str) -> None:
        """Tell the operator what to do, and wait until he says that it is done."""
        ...


class Action(ABC):
    """One step. Whoever acts may die at any point: acting again has to lead to the same end."""

    name: ClassVar[StepName]
    crosses: ClassVar[bool] = False
    """Behind it there is no way back."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation

    @property
    @abstractmethod
    def title(self) -> str:
        """What it does, in a line."""

    @property
    def undoing(self) -> str:
        """What undoing it does; empty: there is nothing to undo."""
        return ""

    @property
    def timeout_seconds(self) -> float:
        """How long it may take."""
        return 30.0

    async def examine(self) -> list[RunFinding]:
        """Return what could stop it later; changes nothing. Raises CcrError."""
        return []

    @abstractmethod
    async def act(self, telling: Telling) -> None:
        """Do it; raises CcrError. Cancelled when it takes too long, or is aborted."""

    async def undo(self, telling: Telling) -> None:
        """Undo it, done or half done; raises CcrError, and is then called again."""
        return

    def is_crossed(self) -> bool:
        """Whether a step that failed, or died, may have led behind the point of no return."""
        return self.crosses

    def stop(self, text: str, next_step: str = "") -> RunFinding:
        """Word what the run cannot begin with."""
        return RunFinding(self.name, stops=True, text=text, next_step=next_step)

    def warn(self, text: str, next_step: str = "") -> RunFinding:
        """Word what an operator should know."""
        return RunFinding(self.name, stops=False, text=text, next_step=next_step)
