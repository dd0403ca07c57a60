"""`${provider:path:key}`: values that Kafka's config providers fetch from elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WHOLE = re.compile(r"\$\{(?P<provider>[^}:]+):(?:(?P<path>[^}]*?):)?(?P<key>[^}:]+)\}")
_ANY = re.compile(r"\$\{[^}:]+:[^}]+\}")
_NEEDS_A_WAY = {
    "file": "stands in the properties file {path} under {key}, and ccr's file: reads a whole file",
    "securepass": "is encrypted by Confluent's securepass in {path}, which ccr cannot read",
    "vault": "is in Vault, which ccr does not ask",
}


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where a secret is: ccr's own reference, or why there is none."""

    reference: str
    why_none: str = ""


def in_text(value: str) -> bool:
    """Whether something in a value is fetched from elsewhere."""
    return _ANY.search(value) is not None


def secret_place(value: str) -> Elsewhere | None:
    """Return where a secret is that a provider fetches; None when the value is the secret."""
    found = _WHOLE.fullmatch(value.strip())
    if found is None:
        if in_text(value):
            return Elsewhere("", "is put together of several parts, and ccr takes a secret whole")
        return None
    provider, path, key = found["provider"], found["path"] or "", found["key"]
    if provider == "env":
        return Elsewhere(f"env:{key}")
    if provider in ("dir", "directory") and path:
        return Elsewhere(f"file:{path.rstrip('/')}/{key}")
    why = _NEEDS_A_WAY.get(provider, "is fetched by the provider {provider}, which ccr lacks")
    return Elsewhere("", why.format(provider=provider, path=path, key=key))
