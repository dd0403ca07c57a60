"""Where a service keeps its socket, lock and log, derived from its configuration file alone.

Sockets live in a directory of the user that outlives logins: `/run/ccr` for root, `/tmp/ccr-UID`
for others, or `$CCR_RUNTIME_DIR`. XDG_RUNTIME_DIR would be wrong: it is removed with the user's
last login session, and it is not set for services, so console and service would miss each other.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from engine.config.home import expanded
from engine.errors import ConfigError

RUNTIME_DIR_VARIABLE = "CCR_RUNTIME_DIR"
MAX_SOCKET_PATH_BYTES = 103  # sun_path less its NUL: 107 on Linux, 103 on macOS and the BSDs
_NOT_IN_A_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class ServicePaths:
    """The files of the service that runs one configuration on this host."""

    config: Path
    socket: Path
    lock: Path
    log: Path
    embedded_log: Path
    events: Path
    audit: Path
    runs: Path
    """Folder: a run's journal is a file of it."""


def service_paths(config_path: str | Path) -> ServicePaths:
    """Derive the files from the resolved configuration path; touches nothing but symlinks.

    Raises ConfigError when the runtime directory's name is too long for a socket.
    """
    config = expanded(config_path).resolve()
    digest = hashlib.sha256(os.fsencode(config)).hexdigest()[:12]
    name = f"{_NOT_IN_A_FILE_NAME.sub('-', config.stem)[:24]}-{digest}"
    directory = runtime_dir()
    logs = platformdirs.user_log_path("ccr")
    paths = ServicePaths(
        config=config,
        socket=directory / f"{name}.sock",
        lock=directory / f"{name}.lock",
        log=logs / f"{name}.log",
        embedded_log=logs / f"{name}-embedded.log",
        events=logs / f"{name}-events.jsonl",
        audit=logs / f"{name}-audit.jsonl",
        runs=logs / f"{name}-runs",
    )
    if len(os.fsencode(paths.socket)) > MAX_SOCKET_PATH_BYTES:
        raise ConfigError(
            "placing the control socket in",
            str(directory),
            f"a socket's path is limited to {MAX_SOCKET_PATH_BYTES} bytes",
            f"Set {RUNTIME_DIR_VARIABLE} to a shorter path",
        )
    return paths


def runtime_dir() -> Path:
    """Return the directory of this user's sockets, whether it exists or not."""
    chosen = os.environ.get(RUNTIME_DIR_VARIABLE)
    if chosen:
        return expanded(chosen).absolute()
    if os.geteuid() == 0 and Path("/run").is_dir():
        return Path("/run/ccr")
    # As tmux does: a fixed name, whose owner and mode are checked before use.
    return Path(f"/tmp/ccr-{os.geteuid()}")  # noqa: S108


def prepare_runtime_dir(directory: Path) -> None:
    """Create the directory with mode 0700; raises ConfigError when others can write to it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(directory, error.strerror or str(error)) from None
    check_runtime_dir(directory)


def check_runtime_dir(directory: Path) -> None:
    """Refuse a directory in which someone else could have put a socket of his own.

    A directory that does not exist is fine: there is no service then. Raises ConfigError.
    """
    try:
        found = directory.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unusable(directory, error.strerror or str(error)) from None
    if not stat.S_ISDIR(found.st_mode):
        raise _unusable(directory, "it is not a directory")
    # Root may look at the services of others; nobody else may be led to a stranger's socket.
    if found.st_uid not in (0, os.geteuid()) and os.geteuid() != 0:
        raise _unusable(directory, f"it belongs to user id {found.st_uid}")
    if stat.S_IMODE(found.st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise _unusable(
            directory, f"others may enter it (mode {stat.S_IMODE(found.st_mode):04o}, not 0700)"
        )


def _unusable(directory: Path, cause: str) -> ConfigError:
    return ConfigError(
        "using the runtime directory",
        str(directory),
        cause,
        f"Remove it, or set {RUNTIME_DIR_VARIABLE} to a directory of your own with mode 0700",
    )
