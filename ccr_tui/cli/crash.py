"""What ccr says when it fails in a way nobody foresaw: a line for the user, the rest for a file.

The traceback has no values of variables: they may be secrets.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ccr_tui.user_files import crash_log_path
from engine import __version__


def describe(error: Exception, notes: Sequence[str] = ()) -> str:
    """Write notes and traceback to the crash log; return the line (or more, when it cannot)."""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    line = f"unexpected {type(error).__name__}{place}: this is a fault in ccr"
    text = "".join([*(f"{note}\n" for note in notes), *traceback.format_exception(error)])
    path = crash_log_path()
    try:
        _append(path, text)
    except OSError as failure:
        return f"{line}. {path} cannot be written ({failure.strerror}), so here it is:\n{text}"
    return f"{line}. The traceback is in {path}"


def _append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} ccr {__version__}\n{text}\n")
