"""The verbs: names and help without their modules, which are imported when a verb is chosen.

A verb's module exposes `add_parser(subparsers)`, which adds a parser for each of the verbs that are
registered with the module and gives it `set_defaults(func=...)`: a callable that takes the
arguments and returns an exit code, or a coroutine that does. The frame adds --config (to verbs that
`needs_config`) and --read-only; the callable finds in the arguments:

config:    for a verb that `needs_config` the path of the configuration file (str), found as
           `engine.config.locations` says; for others what --config says, or None
read_only: whether --read-only was given
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    Subparsers: TypeAlias = _SubParsersAction[argparse.ArgumentParser]


class Command(Protocol):
    """What a verb does."""

    def __call__(self, args: argparse.Namespace) -> int | Awaitable[int]:
        """Do it; returns the exit code."""
        ...


class VerbModule(Protocol):
    """A module that verbs are registered with."""

    def add_parser(self, subparsers: Subparsers) -> None:
        """Add the parsers of the module's verbs."""
        ...


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb as `ccr --help` shows it."""

    name: str
    module: str
    help: str
    needs_config: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Verbs that `ccr --help` shows together."""

    title: str
    verbs: tuple[Verb, ...]


_CONFIG = "ccr_tui.cli.config"
_CHECK = "ccr_tui.cli.check"
_STATUS = "ccr_tui.cli.status"
_STEER = "ccr_tui.cli.steer"
_RUNBOOK = "ccr_tui.cli.runbook"
GROUPS = (
    Group(
        "configuration",
        (
            Verb("validate", _CONFIG, "check a configuration file"),
            Verb("config", _CONFIG, "write a starter file; print the JSON Schema"),
            Verb("import", "ccr_tui.cli.importing", "a file of MirrorMaker 2 or Replicator"),
            Verb(
                "secrets", "ccr_tui.cli.secrets", "the keyring's entries; which secrets can be read"
            ),
        ),
    ),
    Group(
        "look, with or without a running engine",
        (
            Verb("check", _CHECK, "connections and permissions that flows need", needs_config=True),
            Verb("status", _STATUS, "clusters and flows as they are now", needs_config=True),
            Verb("lag", _STATUS, "how far behind each partition is", needs_config=True),
            Verb(
                "loss",
                "ccr_tui.cli.loss",
                "what would be lost if the source vanished now",
                needs_config=True,
            ),
            Verb(
                "groups",
                "ccr_tui.cli.groups",
                "consumer groups: translated, committed, to be read again",
                needs_config=True,
            ),
            Verb(
                "audit",
                "ccr_tui.cli.audit",
                "who did what to the engine, and how it ended",
                needs_config=True,
            ),
            Verb("info", "ccr_tui.cli.info", "where ccr's files are, versions, keyring, terminal"),
            Verb(
                "preview",
                "ccr_tui.cli.preview",
                "what a flow does with each topic, and why",
                needs_config=True,
            ),
            Verb(
                "verify",
                "ccr_tui.cli.verify",
                "compare a mirror with its source, record by record",
                needs_config=True,
            ),
        ),
    ),
    Group(
        "steer the engine that runs here",
        (
            Verb("pause", _STEER, "stop a flow until it is resumed", needs_config=True),
            Verb("resume", _STEER, "let a paused flow go on", needs_config=True),
            Verb("retry", _STEER, "start stopped partitions again", needs_config=True),
            Verb("limit", _STEER, "set or lift a flow's rate limit", needs_config=True),
            Verb(
                "reload",
                "ccr_tui.cli.reload",
                "apply the changed configuration",
                needs_config=True,
            ),
            Verb("take-over", _STEER, "claim a flow from its owner", needs_config=True),
        ),
    ),
    Group(
        "make the target the primary",
        (
            Verb("promote", _RUNBOOK, "planned: drained first, nothing is lost", needs_config=True),
            Verb("failover", _RUNBOOK, "now; what is lost is shown first", needs_config=True),
            Verb("failback", _RUNBOOK, "the old source is back: what now", needs_config=True),
            Verb("rehearse", _RUNBOOK, "try it with throw-away topics", needs_config=True),
            Verb("runbook", _RUNBOOK, "follow a run, abort it, go on with it", needs_config=True),
            Verb(
                "reports", "ccr_tui.cli.reports", "runs, and the report of one", needs_config=True
            ),
        ),
    ),
    Group(
        "Kafka Connect",
        (
            Verb(
                "connect",
                "ccr_tui.cli.connect",
                "connectors: look, write, restart, offsets",
                needs_config=True,
            ),
        ),
    ),
    Group(
        "try it on this machine",
        (
            Verb("demo", "ccr_tui.cli.demo", "two local Kafka clusters with live traffic"),
            Verb("sandbox", "ccr_tui.cli.sandbox", "local Kafka clusters: up, down, status"),
        ),
    ),
)
VERBS = {verb.name: verb for group in GROUPS for verb in group.verbs}
