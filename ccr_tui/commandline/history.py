"""The commands that were typed before, over restarts; what is typed holds no secrets."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ccr_tui.user_files import history_path

KEPT = 200


class History:
    """The newest lines of a file, mode 0600; a file that cannot be used is done without."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or history_path()
        self.lines: list[str] = []
        """The oldest first."""

    def load(self) -> None:
        """Read the file; blocks."""
        with contextlib.suppress(OSError):
            text = self._path.read_text(encoding="utf-8", errors="replace")
            self.lines = text.splitlines()[-KEPT:]

    def add(self, line: str) -> None:
        """Take a line in; a repeat moves to the end."""
        self.lines = [*(each for each in self.lines if each != line), line][-KEPT:]

    def save(self) -> None:
        """Write the file; blocks."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            descriptor = os.open(self._path, flags, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in self.lines)
