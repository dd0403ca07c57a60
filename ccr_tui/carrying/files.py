"""Files that an operator has the console write: new ones only, and for nobody else's eyes."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path

from engine.errors import CcrError


def proposed(folder: Path, name: str, ending: str, at: datetime) -> Path:
    """Return a path that says what is in it, and when it was seen."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-") or "ccr"
    return folder / f"{words}-{at:%Y%m%dT%H%M%S}.{ending}"


def write_new(path: Path, text: str) -> Path:
    """Write a file that was not there, mode 0600; blocks. Raises CcrError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise CcrError(
            "writing", str(path), "it is there already", "Choose another name"
        ) from error
    except OSError as error:
        raise CcrError(
            "writing", str(path), error.strerror or str(error), "Choose another folder"
        ) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise CcrError(
            "writing", str(path), error.strerror or str(error), "Choose another folder"
        ) from error
    return path.absolute()
