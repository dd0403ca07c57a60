"""`ccr sandbox up --tls --sasl MECHANISM`: the options, and what is printed of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.sandbox import ClusterStatus, Sandbox, SandboxStatus, Security

# OAUTHBEARER needs a token endpoint, which a sandbox does not have.
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `up`."""
    parser.add_argument(
        "--tls", action="store_true", help="give new clusters TLS listeners, and clients files"
    )
    parser.add_argument(
        "--sasl",
        metavar="MECHANISM",
        action="append",
        choices=MECHANISMS,
        default=[],
        help=f"give new clusters a listener with logins, repeatable: {', '.join(MECHANISMS)}",
    )


def security(args: argparse.Namespace, sandbox: Sandbox) -> Security | None:
    """Return what the options ask for; None when they ask for nothing."""
    from engine.sandbox import security_with_user  # noqa: PLC0415  (imports aiokafka: slow)

    if not args.tls and not args.sasl:
        return None
    return security_with_user(sandbox.root, tls=args.tls, sasl=tuple(dict.fromkeys(args.sasl)))


def listeners_json(cluster: ClusterStatus) -> dict[str, str]:
    """Return the further listeners' addresses by name."""
    return dict(cluster.listeners)


def files_json(status: SandboxStatus) -> dict[str, Any]:
    """Return the clients' files by what they are."""
    return {what: str(path) for what, path in status.files.items()}


def listener_notes(cluster: ClusterStatus) -> tuple[str, ...]:
    """Word the further listeners."""
    return tuple(f"{name}: {address}" for name, address in cluster.listeners.items())


def file_lines(status: SandboxStatus) -> Iterator[str]:
    """Word the clients' files as keys of a configuration."""
    if not status.files:
        return
    yield "For the clusters' tls and sasl sections:"
    keys = {
        "ca": "ca: ",
        "certificate": "certificate: ",
        "password": "username: ccr, password: file:",
    }
    for what, path in status.files.items():
        yield f"  {keys[what]}{path}"
