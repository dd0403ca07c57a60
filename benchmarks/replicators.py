"""The two replicators as processes: the same source topic, mirrored to `<alias>.<topic>`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.stage import Stage

MM2 = "org.apache.kafka.connect.mirror.MirrorMaker"
MM2_HEAP = "2g"
TICKS = os.sysconf("SC_CLK_TCK")
PEERS = Path(__file__).with_name("peers")


@dataclass(frozen=True)
class Usage:
    """What the operating system says a process has used."""

    cpu_seconds: float
    peak_rss_bytes: int


class Running:
    """A replicator at work."""

    def __init__(self, command: list[str], log: Path, config: Path) -> None:
        self.config = config
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command, stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )
        self.started_at = time.monotonic()

    def usage(self) -> Usage:
        """Return CPU seconds and peak memory so far (proc(5): stat fields 14, 15; VmHWM)."""
        process = Path(f"/proc/{self._process.pid}")
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        status = (process / "status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return Usage((int(fields[11]) + int(fields[12])) / TICKS, int(peak.split()[1]) * 1024)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def start_ccr(stage: Stage, alias: str, topic: str, *, linger_ms: int = 0) -> Running:
    """Start `ccr --no-ui`; `linger_ms` has no counterpart: it never waits for more."""
    del linger_ms
    config = stage.folder / f"{alias}.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "version": 1,
                "clusters": {
                    alias: {"bootstrap_servers": stage.source.split(",")},
                    "west": {"bootstrap_servers": stage.target.split(",")},
                },
                "flows": {
                    f"{alias}-west": {
                        "source": alias,
                        "target": "west",
                        "topics": {"include": [topic]},
                        "rename": "prefix",
                    }
                },
            }
        )
    )
    ccr = str(Path(sys.executable).with_name("ccr"))
    command = [ccr, "--no-ui", "--config", str(config)]
    return Running(command, stage.folder / f"{alias}.log", config)


FURTHER = """west.producer.buffer.memory = 67108864
{alias}.consumer.max.poll.records = 5000"""


def start_mm2_further(stage: Stage, alias: str, topic: str, *, linger_ms: int = 20) -> Running:
    """Start MirrorMaker 2 tuned as far as we know how."""
    return start_mm2(stage, alias, topic, linger_ms=linger_ms, further=FURTHER)


def start_mm2(
    stage: Stage, alias: str, topic: str, *, linger_ms: int = 20, further: str = ""
) -> Running:
    """Start MirrorMaker 2 with default JIT and a 2 GB heap."""
    config = stage.folder / f"{alias}.properties"
    text = (PEERS / "mm2.properties").read_text()
    for name, value in {
        "further": further,
        "alias": alias,
        "source": stage.source,
        "target": stage.target,
        "topic": topic,
        "linger_ms": str(linger_ms),
    }.items():
        text = text.replace(f"{{{name}}}", value)
    config.write_text(text)
    command = stage.java.command(MM2, [str(config)], heap=MM2_HEAP, jvm_options=())
    return Running(command, stage.folder / f"{alias}.log", config)


REPLICATORS = {
    "ccr": start_ccr,
    "MirrorMaker 2": start_mm2,
    "MirrorMaker 2 tuned further": start_mm2_further,
}
