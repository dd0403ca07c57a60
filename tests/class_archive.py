"""Kafka's classes, loaded and checked once: brokers of the tests then start in half the time.

A broker started for that alone leaves an archive of its classes behind (AppCDS, JEP 350), which all
of Java's processes are told to use by the environment. Java ignores it where it does not fit:
another Java, another Kafka.
"""

from __future__ import annotations

from pathlib import Path

from engine.demo import bulk
from engine.sandbox import ClusterSpec, Sandbox
from engine.sandbox.java import DEFAULT_JVM_OPTIONS

ALL_BYTES = 200_000  # of every shape of batches


async def make_archive(folder: Path) -> dict[str, str]:
    """Return the environment that makes Java use an archive in `folder`; none if it has none."""
    archive = folder / "kafka.jsa"
    spec = ClusterSpec(jvm_options=(*DEFAULT_JVM_OPTIONS, f"-XX:ArchiveClassesAtExit={archive}"))
    async with Sandbox(folder / "sandbox", {"east": spec}, ephemeral=True) as sandbox:
        await bulk.load(sandbox.bootstrap("east"), ALL_BYTES)
        await sandbox.stop_broker("east", 1)
    # Quiet: that it does not fit is no news.
    told = f"-XX:SharedArchiveFile={archive} -Xlog:disable"
    return {"JDK_JAVA_OPTIONS": told} if archive.exists() else {}
