"""`ccr secrets`: puts secrets into the keyring of the operating system, and tells what is there."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ccr_tui.cli.confirming import require_confirmation
from ccr_tui.cli.parsing import add_config
from ccr_tui.cli.tables import Row, table
from engine.config import locations
from engine.errors import ConfigError, ExitCode, RefusedError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from ccr_tui.cli.registry import Subparsers
    from engine.config.os_keyring import Entry
    from engine.config.secrets import SecretRef

_OPERATION = "looking at the keyring"


@dataclass(frozen=True, slots=True)
class Found:
    """A secret that the configuration refers to."""

    key: str
    reference: str
    readable: bool
    reason: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keyring in use."""

    backend: str | None
    reason: str = ""
    next_step: str = ""


def add_parser(subparsers: Subparsers) -> None:
    """Add `secrets`."""
    secrets = subparsers.add_parser(
        "secrets",
        help="the keyring's entries; which secrets can be read",
        description="Puts secrets into the keyring of the operating system, takes them out, and "
        "tells which of those that the configuration refers to can be read. No value is shown.",
    )
    verbs = secrets.add_subparsers(metavar="VERB", required=True)
    put = verbs.add_parser(
        "set",
        help="put a secret into the keyring",
        description="Put a secret into the keyring, or replace it. It is asked for twice on a "
        "terminal, and read from standard input otherwise; a line end at its end does not count.",
    )
    put.set_defaults(func=set_secret)
    listing = verbs.add_parser(
        "list",
        help="which secrets of the configuration can be read",
        description="Read every secret that the configuration refers to, as this user and in this "
        "environment, and tell whether that works. Exit code 1 when one cannot be read.",
    )
    listing.set_defaults(func=list_secrets)
    remove = verbs.add_parser(
        "rm",
        help="take a secret out of the keyring",
        description="Take a secret out of the keyring. What the configuration says stays.",
    )
    remove.add_argument(
        "--confirm", metavar="SERVICE/USER", help="the entry again; asked for on a terminal"
    )
    remove.set_defaults(func=remove_secret)
    for verb in (put, remove):
        verb.add_argument("entry", metavar="SERVICE/USER", type=_entry)
    for verb in (put, listing, remove):
        verb.add_argument("--json", action="store_true", help="print one JSON object (docs/cli.md)")
        add_config(verb)


def _entry(text: str) -> Entry:
    from engine.config.os_keyring import Entry  # noqa: PLC0415  (pydantic is slow to import)

    try:
        return Entry.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            "must be SERVICE/USER, as in keyring:SERVICE/USER"
        ) from None


def set_secret(args: argparse.Namespace) -> int:
    """Put a secret into the keyring; raises ConfigError, KeyringError and RefusedError."""
    entry: Entry = args.entry
    operation = "writing the secret"
    _refuse_read_only(args, operation)
    keys = _keys_of(args, entry)
    backend = asyncio.run(_put(entry, _typed(entry), operation))
    told = f"{entry} is in the keyring ({backend})"
    _tell(args, told, {"entry": str(entry), "backend": backend, "keys": keys})
    if keys is not None and not keys:
        print(f"ccr: the configuration has no keyring:{entry}", file=sys.stderr)
    return ExitCode.OK


async def _put(entry: Entry, secret: SecretStr, operation: str) -> str:
    from engine.config import os_keyring  # noqa: PLC0415  (as above)

    await os_keyring.store(entry, secret, operation=operation)
    return await os_keyring.backend_name(operation=operation) or ""


def _typed(entry: Entry) -> SecretStr:
    """Ask on the terminal, twice, or read what is piped in; raises ConfigError."""
    from pydantic import SecretStr  # noqa: PLC0415  (as above)

    from engine.config.secret_files import MAX_BYTES  # noqa: PLC0415

    if sys.stdin.isatty():
        value = getpass.getpass(f"Secret for {entry}: ", sys.stderr)
        if value != getpass.getpass("Once more: ", sys.stderr):
            raise RefusedError("writing the secret", str(entry), "the two are not the same")
    else:
        content = sys.stdin.buffer.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigError("writing the secret", str(entry), "it is larger than 64 KiB")
        try:
            value = content.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise ConfigError("writing the secret", str(entry), "it is not UTF-8 text") from None
    if not value:
        raise ConfigError("writing the secret", str(entry), "it is empty", "Type it, or pipe it in")
    return SecretStr(value)


def remove_secret(args: argparse.Namespace) -> int:
    """Take a secret out of the keyring; raises ConfigError, KeyringError and RefusedError."""
    from engine.config import os_keyring  # noqa: PLC0415  (as above)

    entry: Entry = args.entry
    operation = "removing the secret"
    _refuse_read_only(args, operation)
    keys = _keys_of(args, entry)
    used = f"{', '.join(keys)} of the configuration needs it. " if keys else ""
    require_confirmation(args.confirm, str(entry), operation, f"{used}It cannot be brought back.")
    if not asyncio.run(os_keyring.remove(entry, operation=operation)):
        raise RefusedError(operation, str(entry), "the keyring has no such entry")
    _tell(args, f"{entry} is removed from the keyring", {"entry": str(entry), "keys": keys})
    return ExitCode.OK


def list_secrets(args: argparse.Namespace) -> int:
    """Tell of every secret of the configuration where it is and whether it can be read."""
    path = locations.find(args.config)
    secrets = dict(_secrets_in(path))
    keyring, found = asyncio.run(_read_all(secrets))
    if args.json:
        answer = {
            "config": str(path),
            "keyring": asdict(keyring),
            "secrets": [asdict(each) for each in found],
        }
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        print(f"keyring: {keyring.backend or 'none'}")
        if keyring.reason:
            print(f"  {_sentence(keyring.reason, keyring.next_step)}")
        print("\n".join(_lines(found)) if found else "The configuration has no secrets.")
    return ExitCode.OK if all(each.readable for each in found) else ExitCode.FAILED


def _lines(found: Iterable[Found]) -> Iterator[str]:
    rows = [
        Row(
            (each.key, "yes" if each.readable else "NO"),
            (each.reference, *([] if each.readable else [_sentence(each.reason, each.next_step)])),
        )
        for each in found
    ]
    return table(("SECRET", "READABLE"), rows)


def _sentence(cause: str, next_step: str) -> str:
    return f"{cause}. {next_step}" if next_step else cause


async def _read_all(secrets: dict[str, SecretRef]) -> tuple[Keyring, list[Found]]:
    """Read all at once: one that does not answer takes no time from the others."""
    keyring = asyncio.ensure_future(_keyring())
    found = await asyncio.gather(*(_look(key, secret) for key, secret in secrets.items()))
    return await keyring, found


async def _look(key: str, secret: SecretRef) -> Found:
    try:
        await secret.resolve(what=key)
    except ConfigError as error:
        return Found(key, str(secret), False, error.cause, error.next_step)
    return Found(key, str(secret), True)


async def _keyring() -> Keyring:
    from engine.config import os_keyring  # noqa: PLC0415  (as above)

    try:
        return Keyring(await os_keyring.backend_name(operation=_OPERATION))
    except os_keyring.KeyringError as error:
        return Keyring(None, error.cause, error.next_step)


def _secrets_in(path: Path) -> Iterator[tuple[str, SecretRef]]:

    from engine.config import loader  # noqa: PLC0415  (as above)
    from engine.config.problems import dotted  # noqa: PLC0415
    from engine.config.sections import secrets_of  # noqa: PLC0415

    for key, secret in secrets_of(loader.read(path).config):
        yield dotted(key), secret


def _keys_of(args: argparse.Namespace, entry: Entry) -> list[str] | None:
    """Return which keys of the configuration refer to the entry; None without a configuration.

    A secret may be set before there is a valid one; but one that --config names must be valid.
    """
    try:
        path = locations.find(args.config)
        return [key for key, secret in _secrets_in(path) if secret.entry == entry]
    except ConfigError:
        if args.config is not None:
            raise
        return None


def _refuse_read_only(args: argparse.Namespace, operation: str) -> None:
    if args.read_only:
        raise RefusedError(
            operation, str(args.entry), "ccr was started read-only", "Leave out --read-only"
        )


def _tell(args: argparse.Namespace, text: str, answer: dict[str, object]) -> None:
    print(json.dumps(answer, indent=2, ensure_ascii=False) if args.json else text)
