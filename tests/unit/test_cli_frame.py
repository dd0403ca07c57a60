"""The command line's frame: which verb runs, what it is given, what the process answers with."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from ccr_tui.cli import console, main, run
from ccr_tui.cli.parsing import parse
from ccr_tui.cli.registry import VERBS
from engine import __version__
from engine.errors import (
    ConfigError,
    ConnectError,
    ExitCode,
    KafkaError,
    RefusedError,
    SandboxError,
)

CCR = Path(sys.executable).with_name("ccr")
Verb = Callable[[argparse.Namespace], object]


@pytest.fixture(autouse=True)
def config_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand where there is a ccr.yaml, with logs of our own."""
    monkeypatch.delenv("CCR_CONFIG", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ccr.yaml").write_text("version: 1\nclusters: {a: {bootstrap_servers: ['a:1']}}\n")
    return tmp_path


@pytest.fixture
def as_verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Verb], None]:
    """Let `ccr status` do what a test says."""

    def install(verb: Verb) -> None:
        module = types.ModuleType("a_verb_of_the_tests")

        def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
            subparsers.add_parser("status").set_defaults(func=verb)

        module.add_parser = add_parser  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, VERBS["status"].module, module)

    return install


def fail_with(error: BaseException) -> Verb:
    def verb(args: argparse.Namespace) -> object:
        raise error

    return verb


def recorder(given: list[argparse.Namespace], code: int) -> Callable[[argparse.Namespace], int]:
    def command(args: argparse.Namespace) -> int:
        given.append(args)
        return code

    return command


# which verb, and what it is given


@pytest.mark.parametrize("name", VERBS)
def test_a_registered_verb_is_added_by_its_module(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main([name, "--help"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: ccr {name} ")
    assert "--read-only" in shown
    # `ccr info` takes one, but does without.
    assert ("--config FILE" in shown) == (VERBS[name].needs_config or name == "info")


@pytest.mark.parametrize("module", sorted({verb.module for verb in VERBS.values()}))
def test_a_modules_verbs_are_all_registered(module: str) -> None:
    subparsers = argparse.ArgumentParser().add_subparsers()
    importlib.import_module(module).add_parser(subparsers)
    registered = {name for name, verb in VERBS.items() if verb.module == module}
    assert set(subparsers.choices) == registered


def test_help_has_every_verb_in_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main.main(["--help"]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for verb in VERBS.values():
        assert f"    {verb.name:<20}{verb.help}" in lines


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out == f"ccr {__version__}\n"


@pytest.mark.parametrize(
    "argv",
    [
        ["--config", "other.yaml", "--read-only", "status"],
        ["status", "--config", "other.yaml", "--read-only"],
        ["--read-only", "status", "--config=other.yaml"],
    ],
)
def test_common_options_stand_before_or_after_the_verb(
    argv: list[str], as_verb: Callable[[Verb], None]
) -> None:
    Path("other.yaml").touch()
    as_verb(lambda _: 0)
    args = parse(argv)
    assert (args.config, args.read_only) == ("other.yaml", True)


def test_without_options_the_file_is_found(as_verb: Callable[[Verb], None]) -> None:
    as_verb(lambda _: 0)
    args = parse(["status"])
    assert (args.config, args.read_only) == ("ccr.yaml", False)


def test_without_a_verb_the_console_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[argparse.Namespace] = []
    monkeypatch.setattr(console, "open_console", recorder(given, 7))
    assert main.main(["--read-only", "--theme", "dark"]) == 7
    assert (given[0].config, given[0].read_only, given[0].theme) == ("ccr.yaml", True, "dark")


def test_no_ui_runs_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[argparse.Namespace] = []
    monkeypatch.setattr(run, "run_headless", recorder(given, 0))
    argv = ["--no-ui", "--config", "ccr.yaml", "--log-format", "json", "--take-over"]
    assert main.main([*argv, "--drain-timeout", "2s"]) == ExitCode.OK
    args = given[0]
    assert (args.config, args.log_format, args.take_over) == ("ccr.yaml", "json", True)
    assert (args.drain_timeout, args.read_only) == (2.0, False)


# usage errors


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ("stauts", "there is no verb 'stauts'; did you mean status?"),
        ("take_over", "there is no verb 'take_over'; did you mean take-over?"),
        ("frobnicate", "there is no verb 'frobnicate'. See `ccr --help`"),
        ("--confg x", "unrecognized arguments: --confg; did you mean --config?"),
        ("status --jsn", "unrecognized arguments: --jsn; did you mean --json?"),
        (
            "sandbox up --clustr a",
            "unrecognized arguments: --clustr a; did you mean --cluster?",
        ),
        ("sandbox", "the following arguments are required: VERB. See `ccr sandbox --help`"),
        (
            "config int",
            "argument VERB: 'int' is none of init, schema, console; did you mean init?",
        ),
        ("--config", "argument --config: expected one argument. See `ccr --help`"),
        ("--log-format json", "--log-format goes with --no-ui only. See `ccr --help`"),
        ("--take-over", "--take-over goes with --no-ui only. See `ccr --help`"),
        ("--drain-timeout 5s", "--drain-timeout goes with --no-ui only. See `ccr --help`"),
        (
            "--log-format json status",
            "--log-format before the verb status says nothing. See `ccr status --help`",
        ),
        ("--no-ui --theme x", "--theme is the console's; --no-ui has none. Leave one out"),
        (
            "--no-ui status",
            "--no-ui before the verb status says nothing. See `ccr status --help`",
        ),
        (
            "status --config nix.yaml",
            "nix.yaml: there is no such file. Correct it, or run `ccr config init` for a starter",
        ),
    ],
)
def test_a_usage_error_is_one_line_and_code_2(
    argv: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(argv.split()) == ExitCode.USAGE
    assert capsys.readouterr() == ("", f"ccr: {told}\n")


def test_no_configuration_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    Path("ccr.yaml").unlink()
    assert main.main([]) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert "there is no configuration" in told
    for way in ("ccr demo", "ccr import FILE", "ccr config init", "ccr --config FILE"):
        assert way in told
    assert main.main(["--no-ui"]) == ExitCode.USAGE
    assert "Run `ccr config init` to write a starter" in capsys.readouterr().err


# outcomes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("reading", "x", "wrong"), 2),
        (ConnectError("connecting to", "x", "away"), 3),
        (RefusedError("pausing", "x", "read-only"), 1),
        (KafkaError("creating", "x", "no"), 1),
        (SandboxError("starting", "x", "no Java"), 1),
    ],
)
@pytest.mark.parametrize("in_a_coroutine", [False, True])
def test_an_expected_error_is_one_line_and_its_code(
    error: Exception,
    code: int,
    as_verb: Callable[[Verb], None],
    capsys: pytest.CaptureFixture[str],
    *,
    in_a_coroutine: bool,
) -> None:
    async def verb(args: argparse.Namespace) -> int:
        await asyncio.sleep(0)
        raise error

    as_verb(verb if in_a_coroutine else fail_with(error))
    assert main.main(["status"]) == code
    assert capsys.readouterr() == ("", f"ccr: {error}\n")


def test_a_verbs_own_code_is_the_processes(as_verb: Callable[[Verb], None]) -> None:
    async def verb(args: argparse.Namespace) -> int:
        return 3

    as_verb(verb)
    assert main.main(["status"]) == 3


def test_interrupted(as_verb: Callable[[Verb], None], capsys: pytest.CaptureFixture[str]) -> None:
    as_verb(fail_with(KeyboardInterrupt()))
    assert main.main(["status"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "ccr: interrupted\n"


def test_a_crash_is_a_line_and_a_traceback_in_the_log_without_values(
    tmp_path: Path, as_verb: Callable[[Verb], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def verb(args: argparse.Namespace) -> int:
        password, found = "hunter2", dict[int, int]()
        return found[len(password)]

    as_verb(verb)
    assert main.main(["status"]) == ExitCode.FAILED
    log = tmp_path / "state" / "ccr" / "log" / "crash.log"
    line = verb.__code__.co_firstlineno + 2
    place = f"test_cli_frame.py:{line}"
    assert capsys.readouterr().err == (
        f"ccr: unexpected KeyError at {place}: this is a fault in ccr. The traceback is in {log}\n"
    )
    assert "Traceback (most recent call last)" in log.read_text()
    assert "KeyError: 7" in log.read_text()
    assert "hunter2" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_crash_without_a_log_is_told_in_full(
    tmp_path: Path, as_verb: Callable[[Verb], None], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_text("in the way")
    as_verb(fail_with(KeyError("what")))
    assert main.main(["status"]) == ExitCode.FAILED
    told = capsys.readouterr().err
    assert "crash.log cannot be written (Not a directory), so here it is:" in told
    assert "KeyError: 'what'" in told


def test_a_broken_pipe_that_is_not_ours_is_a_crash(
    as_verb: Callable[[Verb], None], capsys: pytest.CaptureFixture[str]
) -> None:
    as_verb(fail_with(BrokenPipeError()))
    assert main.main(["status"]) == ExitCode.FAILED
    assert "unexpected BrokenPipeError" in capsys.readouterr().err


# as a process


def test_a_reader_that_has_gone_is_no_news() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [CCR, "config", "schema"], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_sigint_ends_a_process_with_130() -> None:
    # A pipe with no writer yet holds `ccr validate` until the signal comes.
    os.mkfifo("pipe")
    process = subprocess.Popen([CCR, "validate", "pipe"], stderr=subprocess.PIPE)
    descriptor = os.open("pipe", os.O_WRONLY)  # returns when ccr has opened its side
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    os.close(descriptor)
    assert (process.returncode, told) == (130, b"ccr: interrupted\n")


def test_output_survives_a_terminal_that_cannot_show_it() -> None:
    ended = subprocess.run(
        [CCR, "config", "schema"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        check=True,
    )
    assert rb"{timestamp: \u2026}" in ended.stdout
