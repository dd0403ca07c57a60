"""Fences: how producers are kept from writing to the source of a flow that is switched."""

from engine.config.switch_section import FenceKind
from engine.runbook.fences.making import make_fence, recorded_fence
from engine.runbook.fences.protocol import (
    CHOICE,
    RECORD,
    AclChoice,
    Ask,
    CommandChoice,
    Done,
    Evidence,
    Fence,
    FenceChoice,
    FenceRecord,
    ManualChoice,
    MaxMessageBytesChoice,
)

__all__ = [
    "CHOICE",
    "RECORD",
    "AclChoice",
    "Ask",
    "CommandChoice",
    "Done",
    "Evidence",
    "Fence",
    "FenceChoice",
    "FenceKind",
    "FenceRecord",
    "ManualChoice",
    "MaxMessageBytesChoice",
    "make_fence",
    "recorded_fence",
]
