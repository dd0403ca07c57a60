"""One service a configuration, host and user: a lock the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
from types import TracebackType
from typing import Self

from engine.errors import ConnectError, RefusedError
from engine.service.paths import RUNTIME_DIR_VARIABLE, ServicePaths, prepare_runtime_dir


class ServiceLock:
    """Holds the right to serve a configuration's socket; a context manager.

    Whoever has it may remove a socket that is lying about: its owner is dead.
    """

    def __init__(self, paths: ServicePaths) -> None:
        self._paths = paths
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take the lock; raises RefusedError naming the process that has it, and ConnectError."""
        prepare_runtime_dir(self._paths.lock.parent)
        try:
            while not self._take():
                pass
            os.truncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
            self._paths.socket.unlink(missing_ok=True)
        except OSError as error:  # a full or read-only file system, one without locks
            self._let_go()
            raise ConnectError(
                "taking the lock",
                str(self._paths.lock),
                error.strerror or str(error),
                f"Check the directory, or set {RUNTIME_DIR_VARIABLE} to another",
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the file, then let go of it."""
        self._paths.lock.unlink(missing_ok=True)
        self._let_go()

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self) -> bool:
        """Lock the file; false when its last holder removed it in between."""
        descriptor = os.open(self._paths.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            current = os.path.samestat(os.fstat(descriptor), self._paths.lock.stat())
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise self._held_by(holder) from None
        except FileNotFoundError:
            current = False
        except OSError:
            os.close(descriptor)
            raise
        if current:
            self._descriptor = descriptor
        else:
            os.close(descriptor)
        return current

    def _held_by(self, holder: str) -> RefusedError:
        return RefusedError(
            "serving",
            str(self._paths.config),
            f"an engine already runs this configuration on this host (pid {holder})",
            f"Look at it with: ccr status --config {self._paths.config}",
        )
