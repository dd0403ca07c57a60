"""The audit log: one JSON object a line, appended and synced, rotated, mode 0600."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE_BYTES = 10 * 1024 * 1024
FILES_KEPT = 10


@dataclass(frozen=True, slots=True)
class Act:
    """One act, or one that was refused."""

    at: float  # seconds since the epoch, when it ended
    user: str
    uid: int
    pid: int
    origin: str  # as the client says
    did: str  # namespace and method of EngineApi: flows.pause
    arguments: dict[str, Any]  # secrets are stars
    outcome: str  # done, unchanged, refused, failed
    text: str


class AuditFile:
    """Writes acts; a disk that refuses is told to whoever acts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def write(self, act: Act) -> None:
        """Append an act and wait until it is on the disk; blocks. Raises OSError."""
        line = json.dumps(asdict(act), ensure_ascii=False, default=str) + "\n"
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._rotate()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            descriptor = os.open(self.path, flags, 0o600)
            try:
                os.write(descriptor, line.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _rotate(self) -> None:
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return
        if size < FILE_BYTES:
            return
        for number in range(FILES_KEPT - 1, 0, -1):
            older = _numbered(self.path, number)
            if older.exists():
                older.replace(_numbered(self.path, number + 1))
        self.path.replace(_numbered(self.path, 1))


def read_acts(path: Path, since: float = 0.0) -> Iterator[Act]:
    """Yield the acts from a time on, oldest first; blocks. Raises OSError.

    A line that was cut off by a crash is passed over.
    """
    files = [_numbered(path, number) for number in range(FILES_KEPT, 0, -1)]
    for file in (*files, path):
        if not file.exists():
            continue
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                act = _act(line)
                if act is not None and act.at >= since:
                    yield act


def _act(line: str) -> Act | None:
    try:
        return Act(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
