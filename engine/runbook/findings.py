"""What a preflight finds: what would stop a runbook later, and what a person should know before."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding weighs."""

    STOP = "stop"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found, in a sentence, and what to do about it."""

    severity: Severity
    text: str
    next_step: str = ""


def stop(text: str, next_step: str = "") -> Finding:
    """Say what a runbook cannot begin with."""
    return Finding(Severity.STOP, text, next_step)


def warn(text: str, next_step: str = "") -> Finding:
    """Say what a person should know; it stops nothing."""
    return Finding(Severity.WARN, text, next_step)
