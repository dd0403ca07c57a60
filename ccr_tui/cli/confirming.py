"""Acts that need a name twice: typed on a terminal, or given with --confirm."""

from __future__ import annotations

import sys

from engine.errors import RefusedError


def require_confirmation(confirm: str | None, name: str, operation: str, warning: str) -> None:
    """Return when the name was given again; raises RefusedError otherwise.

    `confirm` is what --confirm says. Without it a terminal is asked, after `warning`.
    """
    if confirm is None and sys.stdin.isatty():
        print(f"{warning} Type {name} to go on: ", end="", file=sys.stderr, flush=True)
        confirm = sys.stdin.readline().strip()
    if confirm != name:
        cause = "it was not confirmed" if confirm is None else f"{confirm!r} is another name"
        raise RefusedError(operation, name, cause, f"Add --confirm {name}")
