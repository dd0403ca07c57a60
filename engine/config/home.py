"""Paths that begin with `~`."""

from __future__ import annotations

from pathlib import Path


def expanded(path: str | Path) -> Path:
    """Expand `~` as shells do: where there is no such user it stays, and no such file is found."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
