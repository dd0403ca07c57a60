"""What the verbs of service and status take, and refuse."""

from __future__ import annotations

import argparse
from argparse import Namespace

import pytest

from ccr_tui.cli import run, status, steer
from engine.errors import ConfigError, RefusedError


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    verbs = parser.add_subparsers()
    status.add_parser(verbs)
    steer.add_parser(verbs)
    return parser


@pytest.mark.parametrize(
    ("text", "rate"), [("none", None), ("50MiB", 52_428_800), ("1.5MB/s", 1_500_000), ("7", 7)]
)
def test_a_rate(parser: argparse.ArgumentParser, text: str, rate: int | None) -> None:
    args = parser.parse_args(["limit", "dr", text])
    assert (args.flow, args.rate) == ("dr", rate)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["limit", "dr", "fast"], "must be a size in bytes such as 512KiB or 50MiB, or none"),
        (["limit", "dr", "0"], "must be 1 byte a second or more; see also ccr pause"),
        (["--drain-timeout", "soon"], "must be a time such as 500ms or 5s"),
        (["lag", "--sort", "name"], "invalid choice: 'name'"),
        (["pause"], "the following arguments are required: FLOW"),
    ],
)
def test_a_wrong_argument_is_told(
    parser: argparse.ArgumentParser,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(arguments)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_how_a_service_ends(parser: argparse.ArgumentParser) -> None:
    assert parser.parse_args([]).drain_timeout == 30.0
    assert parser.parse_args(["--drain-timeout", "1m"]).drain_timeout == 60.0
    assert parser.parse_args(["--drain-timeout", "2.5"]).drain_timeout == 2.5


async def test_a_wrong_regex_is_told_with_its_position() -> None:
    args = Namespace(config="c.yaml", flow=None, topic="a(", sort="lag", json=False)
    with pytest.raises(ConfigError, match=r"--topic a\(: .* at position 2: the group"):
        await status.run_lag(args)


async def test_a_partition_needs_its_topic() -> None:
    args = Namespace(config="c.yaml", flow="dr", topic=None, partition=3, json=False)
    with pytest.raises(ConfigError, match=r"--partition: it needs a topic\. Add --topic NAME"):
        await steer.run_retry(args)


@pytest.mark.parametrize(
    ("confirm", "cause"), [(None, "it was not confirmed"), ("dr2", "'dr2' is another name")]
)
async def test_taking_over_needs_the_name_twice(
    monkeypatch: pytest.MonkeyPatch, confirm: str | None, cause: str
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    args = Namespace(config="c.yaml", flow="dr", confirm=confirm, json=False)
    with pytest.raises(RefusedError, match=f"taking over flow dr: {cause}. Add --confirm dr"):
        await steer.run_take_over(args)
