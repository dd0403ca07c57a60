"""What `Sandbox.up` says while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One step under way: a sentence and, where it can be counted, how far it is."""

    message: str
    done: int | None = None
    total: int | None = None

    def __str__(self) -> str:
        if self.done is None or self.total is None:
            return self.message
        return f"{self.message} ({self.done} of {self.total})"


ProgressCallback = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Say nothing."""
