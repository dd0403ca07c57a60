"""The service's log: its two forms, and that no reader of it can hold up or end the engine."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.api.snapshots import Severity
from engine.replication.events import Events
from engine.service import log_writing, logs
from engine.service.logs import LogFormat, ServiceLog, fields

log = logging.getLogger("engine.test")


@pytest.fixture(autouse=True)
def _root_level() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


def test_json_lines_on_stdout_and_the_same_for_people_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deep" / "ccr.log"
    with ServiceLog(path, LogFormat.JSON):
        Events().emit(Severity.WARNING, "dr", "waiting: ärgerlich", "Wait")
        log.info("dr: %d/s", 7, extra=fields("progress", flow="dr", records_per_second=7.0))
        log.error("what\nnow")
    told = capsys.readouterr()
    assert told.err == ""
    event, progress, other = map(json.loads, told.out.splitlines())
    assert event.pop("ts").endswith("Z")
    assert event == {
        "level": "warning",
        "event": "engine",
        "id": 1,
        "subject": "dr",
        "text": "waiting: ärgerlich",
        "next_step": "Wait",
    }
    assert (progress["event"], progress["flow"], progress["text"]) == ("progress", "dr", "dr: 7/s")
    assert (other["event"], other["logger"]) == ("log", "engine.test")
    kept = path.read_text().splitlines()
    assert kept[0].endswith(" WARNING dr: waiting: ärgerlich. Wait")
    assert kept[1].endswith(" INFO    dr: 7/s")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_for_people_it_narrates_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ServiceLog(tmp_path / "ccr.log", LogFormat.HUMAN):
        log.info("started")
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.endswith("Z INFO    started\n")


def test_a_traceback_is_one_json_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ServiceLog(tmp_path / "ccr.log", LogFormat.JSON):
        log.error("it failed", exc_info=KeyError("lost"))
    (line,) = capsys.readouterr().out.splitlines()
    assert "KeyError: 'lost'" in json.loads(line)["text"]


def test_libraries_are_kept_to_the_file_and_told_once_a_minute(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ccr.log"
    with ServiceLog(path, LogFormat.HUMAN):
        for port in range(3):
            logging.getLogger("aiokafka.conn").error("Unable to connect to %d", port)
            log.error("ours %d", port)
    assert "aiokafka" not in (told := capsys.readouterr().err)
    assert "Unable" not in told
    text = path.read_text()
    assert text.count("Unable to connect") == 1
    assert [n for n in range(3) if f"ours {n}" in text] == [0, 1, 2]


def test_a_reader_that_has_gone_ends_neither_the_log_nor_the_process(tmp_path: Path) -> None:
    path = tmp_path / "ccr.log"
    program = f"""
import logging, sys, pathlib
from engine.service.logs import ServiceLog, LogFormat
with ServiceLog(pathlib.Path({str(path)!r}), LogFormat.JSON):
    sys.stdin.readline()
    for number in range(100):
        logging.info("line %d", number)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    child.stdout.close()
    child.stdout = None
    _, told = child.communicate("go\n", timeout=60)
    assert (child.returncode, told) == (0, "")
    assert path.read_text().splitlines()[-1].endswith("line 99")


def test_a_reader_that_stops_reading_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FLUSH_TIMEOUT_S", 0.2)
    monkeypatch.setattr(log_writing, "QUEUE_LINES", 50)
    reading, writing = os.pipe()
    stalled = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stdout", stalled)
    service_log = ServiceLog(tmp_path / "ccr.log", LogFormat.JSON)
    began = time.monotonic()
    with service_log:
        for _ in range(200):
            log.info("x" * 2_000)  # together far more than a pipe holds
    assert time.monotonic() - began < 5
    assert service_log.stuck
    os.close(reading)  # lets the writing thread go
    assert len((tmp_path / "ccr.log").read_text().splitlines()) >= 50


def test_lines_that_could_not_be_written_are_counted_in_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writing, "QUEUE_LINES", 5)
    held, told = threading.Event(), list[str]()

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            held.wait(30)
            told.append(record.getMessage())

    writer = log_writing.Writer(Slow())
    put = [str(number) for number in range(20)]
    for text in put:
        writer.put(logging.makeLogRecord({"msg": text}))
    held.set()
    assert writer.close(30)
    *kept, last = told
    assert kept == put[: len(kept)]
    assert last.startswith(f"{len(put) - len(kept)} lines are missing here")


def test_a_log_that_cannot_be_written_is_told_and_replication_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with ServiceLog(tmp_path / "file" / "ccr.log", LogFormat.HUMAN) as service_log:
        log.info("still here")
    assert service_log.path is None
    told = capsys.readouterr().err
    assert "there is no log file: " in told
    assert "still here" in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = tmp_path / "ccr.log"
    full.symlink_to("/dev/full")
    with ServiceLog(full, LogFormat.JSON):
        log.info("one")
        log.info("two")
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 2
    assert told.err.count("cannot be written: No space left on device") == 1


def test_what_a_crash_says_follows_the_file_through_its_rotation(tmp_path: Path) -> None:
    path = tmp_path / "ccr.log"
    program = f"""
import logging, os, pathlib
from engine.service import log_writing, logs
log_writing.FILE_BYTES = 2000
with logs.ServiceLog(pathlib.Path({str(path)!r}), logs.LogFormat.HUMAN, narrate=False,
                     owns_stderr=True):
    for number in range(100):
        logging.info("line %d", number)
os.write(2, b"the crash\\n")
"""
    child = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (child.returncode, child.stdout, child.stderr) == (0, "", "")
    assert path.read_text().splitlines()[-1] == "the crash"
    assert (tmp_path / "ccr.log.1").exists()
