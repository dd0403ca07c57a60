"""Kafka's jars in the user's cache: exactly those of the lock file, checked by their SHA-256.

A version's lock file (`locks/`, in jgo's own format) names every jar, so a start with a whole
cache needs neither the network nor jgo. What is missing or damaged is downloaded by jgo's
resolver into a staging folder, checked, and only then moved to its place.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import threading
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from engine.errors import SandboxError
from engine.sandbox.progress import Progress, ProgressCallback, silent

KAFKA_VERSION = "4.2.0"
"""The version of a cluster that asks for none; the only one with Connect and Kafka's tools."""
LOCKS = Path(__file__).with_name("locks")
CLASS_PATH_FILE = "class-path.args"

_WHAT = "Kafka's jars"


@dataclass(frozen=True, slots=True)
class Jar:
    """One jar of the lock file."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name in the cache folder (no two jars of the lock file share one)."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def coordinate(self) -> str:
        """`group:artifact:version`, as Maven writes it."""
        return f"{self.group}:{self.artifact}:{self.version}"


def lock_file(kafka_version: str) -> Path:
    """Return the lock file of a version, which may not be there."""
    return LOCKS / f"kafka-{kafka_version}.toml"


def kafka_versions() -> tuple[str, ...]:
    """Return the versions that have a lock file, oldest first."""
    found = [path.stem.removeprefix("kafka-") for path in LOCKS.glob("kafka-*.toml")]
    return tuple(sorted(found, key=lambda version: [int(part) for part in version.split(".")]))


def locked_jars(kafka_version: str = KAFKA_VERSION) -> tuple[Jar, ...]:
    """Return the jars of a version's lock file, in class path order."""
    text = lock_file(kafka_version).read_text(encoding="utf-8")
    entries = tomllib.loads(text)["dependencies"]
    return tuple(Jar(e["groupId"], e["artifactId"], e["version"], e["sha256"]) for e in entries)


def default_cache() -> Path:
    """Return the user's cache folder of ccr."""
    return Path(platformdirs.user_cache_dir("ccr"))


def jars_folder(cache: Path | None = None, kafka_version: str = KAFKA_VERSION) -> Path:
    """Return the folder that holds a version's jars."""
    return (cache or default_cache()) / "jars" / f"kafka-{kafka_version}"


async def ensure_jars(
    cache: Path | None = None,
    progress: ProgressCallback = silent,
    kafka_version: str = KAFKA_VERSION,
) -> tuple[Path, ...]:
    """Return the paths of a version's jars, whole; download what is missing or damaged.

    Raises `SandboxError`: no network, extra not installed, disk full, folder not writable.
    `progress` is called on the event loop.
    """
    loop = asyncio.get_running_loop()

    def report(step: Progress) -> None:
        loop.call_soon_threadsafe(progress, step)

    cancelled = threading.Event()
    try:
        folder = jars_folder(cache, kafka_version)
        return await asyncio.to_thread(
            _ensure, folder, locked_jars(kafka_version), report, cancelled
        )
    finally:
        cancelled.set()


def damaged_jars(folder: Path, jars: Sequence[Jar]) -> list[Jar]:
    """Return the jars that are missing from `folder` or differ from the lock file."""
    return [jar for jar in jars if not is_whole(folder / jar.file_name, jar)]


def is_whole(path: Path, jar: Jar) -> bool:
    """Tell whether the file is there and is what the lock file says."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _ensure(
    folder: Path, jars: Sequence[Jar], report: ProgressCallback, cancelled: threading.Event
) -> tuple[Path, ...]:
    try:
        wanted = damaged_jars(folder, jars)
        if wanted:
            damaged = [jar for jar in wanted if (folder / jar.file_name).exists()]
            if damaged:
                names = ", ".join(jar.file_name for jar in damaged)
                report(Progress(f"Damaged in {folder}, downloading again: {names}"))
            folder.mkdir(parents=True, exist_ok=True)
            _download(folder, wanted, report, cancelled)
        _write_class_path(folder, jars)
    except OSError as error:
        raise _storage_error(folder, error) from error
    return tuple(folder / jar.file_name for jar in jars)


def _download(
    folder: Path, jars: Sequence[Jar], report: ProgressCallback, cancelled: threading.Event
) -> None:
    try:
        from engine.sandbox.download import download_all  # noqa: PLC0415 - needs the extra
    except ImportError as error:
        raise SandboxError(
            "fetch", _WHAT, f"the extra 'sandbox' is not installed ({error})",
            "Install it with: pip install 'ccr[sandbox]'",
        ) from error  # fmt: skip
    download_all(folder, jars, report, cancelled)


def _write_class_path(folder: Path, jars: Sequence[Jar]) -> None:
    """Write the class path as an argument file of java, which keeps command lines readable."""
    paths = os.pathsep.join(str(folder / jar.file_name) for jar in jars)
    escaped = paths.replace("\\", "\\\\").replace('"', '\\"')
    text = f'-cp "{escaped}"\n'
    path = folder / CLASS_PATH_FILE
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        folder.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.{os.getpid()}")
        new.write_text(text, encoding="utf-8")
        new.replace(path)


def _storage_error(folder: Path, error: OSError) -> SandboxError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return SandboxError(
            "store", _WHAT, f"the disk of {folder} is full",
            "Free about 100 MB, or set XDG_CACHE_HOME to a folder on another disk.",
        )  # fmt: skip
    return SandboxError(
        "store", _WHAT, f"{folder} cannot be used ({error.strerror or error})",
        "Make the folder readable and writable, or set XDG_CACHE_HOME to another one.",
    )  # fmt: skip
