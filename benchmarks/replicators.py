"""The replicators as processes: the same source topics, mirrored to `<alias>.<topic>`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.stage import Ends, Stage

MM2 = "org.apache.kafka.connect.mirror.MirrorMaker"
MM2_HEAP = "2g"
PEERS = Path(__file__).with_name("peers")


@dataclass(frozen=True)
class Job:
    """What a replicator is to do; `topics` is a regular expression, or one topic's name."""

    alias: str
    topics: str
    ends: Ends
    linger_ms: int = 20


@dataclass(frozen=True)
class Usage:
    """What the operating system says that a process and its children have used."""

    cpu_seconds: float
    rss_bytes: int
    peak_rss_bytes: int


class Running:
    """A replicator at work."""

    def __init__(self, command: list[str], log: Path, config: Path) -> None:
        self.config = config
        self.log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command, stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )
        self.started_at = time.monotonic()

    def usage(self) -> Usage:
        """Return CPU seconds, and memory at present and at its peak (proc(5)), of the whole tree.

        The peaks of several processes are added, though they need not be of the same moment.
        """
        self.require_alive()
        process = psutil.Process(self._process.pid)
        tree = [process, *process.children(recursive=True)]
        ended = process.cpu_times()
        return Usage(
            sum(sum(each.cpu_times()[:2]) for each in tree)
            + ended.children_user
            + ended.children_system,
            sum(each.memory_info().rss for each in tree),
            sum(map(_peak_rss_bytes, tree)),
        )

    def require_alive(self) -> None:
        """Raise SystemExit with its last words when it has ended."""
        if self._process.poll() is not None:
            last = self.log.read_text(errors="replace")[-800:]
            raise SystemExit(f"{self._process.args!r} ended: {last}")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _peak_rss_bytes(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) * 1024


def start_ccr(stage: Stage, job: Job) -> Running:
    """Start `ccr --no-ui`; `linger_ms` has no counterpart: it never waits for more."""
    config = stage.folder / f"{job.alias}.yaml"
    security: dict[str, Any] = {}
    if job.ends.ca:
        security = {"security_protocol": "SSL", "tls": {"ca": str(job.ends.ca)}}
    config.write_text(
        yaml.safe_dump(
            {
                "version": 1,
                "clusters": {
                    job.alias: {"bootstrap_servers": job.ends.source.split(","), **security},
                    "west": {"bootstrap_servers": job.ends.target.split(","), **security},
                },
                "flows": {
                    f"{job.alias}-west": {
                        "source": job.alias,
                        "target": "west",
                        "topics": {"include": [job.topics]},
                        "rename": "prefix",
                    }
                },
            }
        )
    )
    ccr = str(Path(sys.executable).with_name("ccr"))
    command = [ccr, "--no-ui", "--config", str(config)]
    return Running(command, stage.folder / f"{job.alias}.log", config)


FURTHER = """west.producer.buffer.memory = 67108864
{alias}.consumer.max.poll.records = 5000"""
MM2_TLS = """{cluster}.security.protocol = SSL
{cluster}.ssl.truststore.type = PEM
{cluster}.ssl.truststore.location = {ca}"""


def start_mm2_further(stage: Stage, job: Job) -> Running:
    """Start MirrorMaker 2 tuned as far as we know how."""
    return start_mm2(stage, job, further=FURTHER)


GROUPS = """{alias}->west.emit.checkpoints.enabled = true
{alias}->west.emit.checkpoints.interval.seconds = 1
{alias}->west.sync.group.offsets.enabled = true
{alias}->west.sync.group.offsets.interval.seconds = 1
{alias}->west.refresh.groups.interval.seconds = 5
{alias}->west.groups = reread-.*"""


def start_mm2_groups(stage: Stage, job: Job) -> Running:
    """Start MirrorMaker 2 so that it translates consumer groups, each second."""
    return start_mm2(stage, job, further=GROUPS)


def start_mm2(stage: Stage, job: Job, *, further: str = "") -> Running:
    """Start MirrorMaker 2 with default JIT and a 2 GB heap."""
    config = stage.folder / f"{job.alias}.properties"
    if job.ends.ca:
        tls = (MM2_TLS.format(cluster=name, ca=job.ends.ca) for name in (job.alias, "west"))
        further = "\n".join([further, *tls])
    text = (PEERS / "mm2.properties").read_text()
    for name, value in {
        "further": further,
        "alias": job.alias,
        "source": job.ends.source,
        "target": job.ends.target,
        "topic": job.topics,
        "linger_ms": str(job.linger_ms),
    }.items():
        text = text.replace(f"{{{name}}}", value)
    config.write_text(text)
    command = stage.java.command(MM2, [str(config)], heap=MM2_HEAP, jvm_options=())
    return Running(command, stage.folder / f"{job.alias}.log", config)


def start_franz(stage: Stage, job: Job) -> Running:
    """Start the Go mirror of one topic; the target topic has to be there."""
    program = stage.folder / "franz"
    if not program.exists():
        go = shutil.which("go") or "go"
        subprocess.run([go, "build", "-o", program, "."], cwd=PEERS / "franz", check=True)
    command = [str(program), job.ends.source, job.ends.target, job.topics]
    command += [f"{job.alias}.{job.topics}", f"{job.linger_ms}ms"]
    return Running(command, stage.folder / f"{job.alias}.log", PEERS / "franz" / "main.go")


FRANZ = "franz-go"
REPLICATORS: dict[str, Callable[[Stage, Job], Running]] = {
    "ccr": start_ccr,
    "MirrorMaker 2": start_mm2,
    "MirrorMaker 2 tuned further": start_mm2_further,
    "MirrorMaker 2 with groups": start_mm2_groups,
    FRANZ: start_franz,
}


def missing(who: str) -> str:
    """Return why a replicator cannot run here, empty when it can."""
    if who == FRANZ and shutil.which("go") is None:
        return "Go is not installed, and the franz-go mirror is built here"
    return ""
