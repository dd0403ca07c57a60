"""Which release of Kafka a broker is, as far as it can be told by what it speaks."""

from __future__ import annotations

from collections.abc import Mapping

# What a release was the first to speak: (API key, version).
_RELEASES = (
    ("4.1", 0, 13),
    ("4.0", 0, 12),
    ("3.9", 1, 17),
    ("3.7", 71, 0),
    ("3.0", 65, 0),
    ("2.8", 61, 0),
)
OLDER = "older than 2.8"


def release(versions: Mapping[int, tuple[int, int]]) -> str:
    """Return the release that a broker is at least, by lowest and highest version by API key."""
    speaks = (name for name, key, version in _RELEASES if versions.get(key, (0, -1))[1] >= version)
    return next(speaks, OLDER)


def or_newer(kafka: str) -> str:
    """Word a release that `release` found."""
    return f"{kafka} or newer" if kafka[:1].isdigit() else kafka
