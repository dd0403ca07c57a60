"""Which fields of a cluster are of use, by what the others say, and where its secrets go."""

from __future__ import annotations

from collections.abc import Iterator

from ccr_tui.widgets.form.book import FieldBook
from ccr_tui.widgets.form.rows import FieldRow, SecretRow, row_for
from ccr_tui.widgets.form.specs import FieldPath, fields_of
from engine.config.cluster_section import TLS_OWNERS, ClusterConfig, login_key_mismatch

_FIRST = ("bootstrap_servers", "environment", "security_protocol")
_INSTEAD = {
    "ca": "truststore",
    "truststore": "ca",
    "certificate": "keystore",
    "keystore": "certificate",
}
_USERS = {"sasl.password": "sasl.username", "sasl.client_secret": "sasl.client_id"}


def cluster_rows() -> list[FieldRow]:
    """Make the fields, with what everybody must think of first."""
    specs = {spec.key: spec for spec in fields_of(ClusterConfig)}
    order = [*_FIRST, *(key for key in specs if key not in _FIRST)]
    return [row_for(specs[key]) for key in order]


def of_no_use(book: FieldBook) -> Iterator[FieldPath]:
    """Yield the fields that mean nothing with what the others say."""
    protocol = said(book, "security_protocol")
    for path in book.rows:
        unused = {
            "sasl": lambda key: not protocol.startswith("SASL") or _no_login(book, key),
            "tls": lambda key: not protocol.endswith("SSL") or _no_trust(book, key),
        }.get(path[0])
        if unused is not None and unused(path[-1]):
            yield path


def said(book: FieldBook, key: str) -> str:
    """Return what a field says, or its default."""
    row = book[key]
    return row.text.strip() or row.spec.default


def _no_login(book: FieldBook, key: str) -> bool:
    if key == "mechanism":
        return False
    mechanism = said(book, "sasl.mechanism")
    return not mechanism or login_key_mismatch(mechanism, key, given=True) is not None


def _no_trust(book: FieldBook, key: str) -> bool:
    if key in TLS_OWNERS:
        return not any(_given(book, owner) for owner in TLS_OWNERS[key])
    instead = _INSTEAD.get(key)
    return instead is not None and _given(book, instead) and not _given(book, key)


def _given(book: FieldBook, key: str) -> bool:
    return bool(book[f"tls.{key}"].text.strip())


def propose_secrets(book: FieldBook, cluster: str) -> None:
    """Say where each secret goes when nothing else is typed."""
    for path, row in book.rows.items():
        if isinstance(row, SecretRow):
            key = ".".join(path)
            user = said(book, _USERS[key]) if key in _USERS else path[-1].removesuffix("_password")
            reference = f"keyring:ccr-{cluster or 'NAME'}/{user or 'USER'}"
            row.propose(reference, needed=key in _USERS and bool(cluster and user))
