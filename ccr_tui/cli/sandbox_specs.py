"""`ccr sandbox up`: the options that say which clusters there are to be."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeVar

from ccr_tui.cli import sandbox_security
from engine.errors import ConfigError

if TYPE_CHECKING:
    from engine.sandbox import ClusterSpec, Sandbox

_Value = TypeVar("_Value")


def add_arguments(up: argparse.ArgumentParser) -> None:
    """Add the options of `up`."""
    up.add_argument(
        "--cluster",
        metavar="NAME[:BROKERS]",
        action="append",
        type=_cluster,
        help="a cluster to have, repeatable (default: those the folder has, else east and west)",
    )
    up.add_argument(
        "--kafka-version",
        metavar="[NAME=]VERSION",
        action="append",
        type=_version,
        default=[],
        help="Kafka of new clusters, all or the named one, repeatable "
        "(default: 4.2.0; all: docs/cli.md)",
    )
    up.add_argument(
        "--connect",
        metavar="NAME[:WORKERS]",
        action="append",
        type=_workers,
        default=[],
        help="Kafka Connect on a cluster, one worker unless told otherwise, repeatable",
    )
    sandbox_security.add_arguments(up)


def _cluster(text: str) -> tuple[str, int]:
    name, colon, brokers = text.partition(":")
    count = brokers if colon else "1"
    if not name or not count.isdecimal() or int(count) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME or NAME:BROKERS, as in west:3")
    return name, int(count)


def _version(text: str) -> tuple[str, str]:
    name, equals, version = text.rpartition("=")
    if not version or (equals and not name):
        raise argparse.ArgumentTypeError(f"{text!r} is not VERSION or NAME=VERSION, as in 3.9.2")
    return name, version


def _workers(text: str) -> tuple[str, int]:
    name, colon, workers = text.partition(":")
    count = workers if colon else "1"
    if not name or not count.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME or NAME:WORKERS, as in east:2")
    return name, int(count)


def specs(args: argparse.Namespace, there: Sandbox) -> dict[str, ClusterSpec] | None:
    """Return the clusters that the options ask for; None when they ask for nothing."""
    from engine.sandbox import ClusterSpec  # noqa: PLC0415  (imports aiokafka: slow)

    security = sandbox_security.security(args, there)
    clusters: list[tuple[str, int]] | None = args.cluster
    if clusters is None and not args.kafka_version and not args.connect and security is None:
        return None
    if clusters is None:
        known = [(cluster.name, len(cluster.brokers)) for cluster in there.status().clusters]
        clusters = known or [("east", 1), ("west", 1)]
    names = [name for name, _ in clusters]
    _require_once("--cluster", names)
    versions = _by_cluster("--kafka-version", args.kafka_version, names)
    workers = _by_cluster("--connect", args.connect, names)
    return {
        name: ClusterSpec(
            brokers,
            kafka_version=versions.get(name, versions.get("", "")),
            security=security,
            connect_workers=workers.get(name),
        )
        for name, brokers in clusters
    }


def _by_cluster(
    option: str, given: list[tuple[str, _Value]], names: list[str]
) -> dict[str, _Value]:
    """Return an option's values by cluster, "" for all; raises ConfigError for other clusters."""
    _require_once(option, [name or "every cluster" for name, _ in given])
    by_name = dict(given)
    unknown = sorted(set(by_name) - {"", *names})
    if unknown:
        raise ConfigError(
            "read", option, f"{unknown[0]} is not one of the clusters {', '.join(names)}"
        )
    return by_name


def _require_once(option: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError("read", option, f"{twice[0]} is named twice")
