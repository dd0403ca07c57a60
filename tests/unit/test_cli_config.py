"""`ccr validate`, `ccr config init` and `ccr config schema`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ccr_tui.cli.main import main
from ccr_tui.resources import sample_configs_dir, themes_dir
from engine.config.loader import read
from engine.config.schema import schema_text
from engine.errors import ExitCode

VALID = """
version: 1
clusters: {b: {bootstrap_servers: ['b:1']}, a: {bootstrap_servers: ['a:1']}}
flows: {a-to-b: {source: a, target: b}}
"""
TWO_PROBLEMS = "version: 1\nclusters: {a: {bootstrap_servers: [a]}}\ncolour: red\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CCR_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_valid_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(VALID)
    assert main(["validate", "c.yaml"]) == ExitCode.OK
    assert capsys.readouterr() == ("c.yaml: valid: 2 clusters, 1 flow\n", "")


def test_a_valid_file_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(VALID)
    assert main(["validate", "c.yaml", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == {
        "file": "c.yaml",
        "valid": True,
        "clusters": ["a", "b"],
        "flows": ["a-to-b"],
        "connect": [],
        "problems": [],
        "warnings": [],
    }


PROBLEMS = (
    "ccr: reading c.yaml: 2 problems\n"
    "c.yaml:2: clusters.a.bootstrap_servers[0]: must be host:port, e.g. kafka-1.example:9092\n"
    "c.yaml:3: colour: is not a known key of the configuration; known are "
    "allow_plaintext_secrets, clusters, connect, flows, read_only, version\n"
)


def test_problems_are_narration(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(TWO_PROBLEMS)
    assert main(["validate", "c.yaml"]) == ExitCode.USAGE
    assert capsys.readouterr() == ("", PROBLEMS)


def test_problems_as_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(TWO_PROBLEMS)
    assert main(["validate", "c.yaml", "--json"]) == ExitCode.USAGE
    shown = capsys.readouterr()
    assert shown.err == PROBLEMS
    answer = json.loads(shown.out)
    assert (answer["valid"], answer["clusters"]) == (False, [])
    assert answer["problems"][0] == {
        "file": "c.yaml",
        "text": "must be host:port, e.g. kafka-1.example:9092",
        "line": 2,
        "column": 36,
        "key": "clusters.a.bootstrap_servers[0]",
        "path": ["clusters", "a", "bootstrap_servers", 0],
        "next_step": "",
    }


def test_a_file_that_is_not_there_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "none.yaml", "--json"]) == ExitCode.USAGE
    problem = json.loads(capsys.readouterr().out)["problems"][0]
    assert (problem["text"], problem["line"]) == ("there is no such file", None)


def test_warnings_are_told_and_the_file_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    back = "  b-to-a: {source: b, target: a, origin: any}\n"
    flows = VALID.replace("flows: {a-to-b:", "flows:\n  a-to-b:").replace(
        "target: b}}", "target: b, origin: any}"
    )
    Path("c.yaml").write_text(flows + back)
    assert main(["validate", "c.yaml", "--json"]) == ExitCode.OK
    shown = capsys.readouterr()
    assert shown.err.startswith("ccr: warning: c.yaml:5: flows.a-to-b: goes round in a circle")
    warning = json.loads(shown.out)["warnings"][0]
    assert (warning["key"], warning["line"]) == ("flows.a-to-b", 5)


@pytest.mark.parametrize("argv", [["validate"], ["--config", "x.yaml", "validate"]])
def test_the_file_is_found_when_none_is_named(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    name = "ccr.yaml" if len(argv) == 1 else "x.yaml"
    Path(name).write_text(VALID)
    assert main(argv) == ExitCode.OK
    assert capsys.readouterr().out.startswith(f"{name}: valid")


def test_init_writes_a_valid_starter(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init"]) == ExitCode.OK
    assert capsys.readouterr() == (
        "",
        "ccr.yaml: written. Edit it, then run: ccr validate ccr.yaml\n",
    )
    assert read(Path("ccr.yaml")).warnings == ()
    first = Path("ccr.yaml").read_text().splitlines()[0]
    schema = Path(first.removeprefix("# yaml-language-server: $schema="))
    assert schema.is_absolute()
    assert schema.read_text() == schema_text()


def test_init_never_overwrites_unless_forced(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text("mine")
    assert main(["config", "init", "mine.yaml"]) == ExitCode.FAILED
    assert capsys.readouterr().err == (
        "ccr: writing mine.yaml: it is there already. Name another file, or add --force\n"
    )
    assert Path("mine.yaml").read_text() == "mine"
    assert main(["config", "init", "mine.yaml", "--force"]) == ExitCode.OK
    assert Path("mine.yaml").read_text().startswith("# yaml-language-server")


def test_init_follows_no_link_to_nowhere(folder: Path) -> None:
    Path("ccr.yaml").symlink_to(folder / "elsewhere.yaml")
    assert main(["config", "init"]) == ExitCode.FAILED
    assert not (folder / "elsewhere.yaml").exists()


def test_init_says_why_it_cannot(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init", "none/ccr.yaml"]) == ExitCode.USAGE
    assert capsys.readouterr().err == "ccr: writing none/ccr.yaml: No such file or directory\n"


def test_schema_is_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == ExitCode.OK
    assert capsys.readouterr() == (schema_text(), "")


def test_a_checkout_has_its_resources_at_the_top() -> None:
    top = Path(__file__).parents[2]
    assert themes_dir() == top / "themes"
    assert sample_configs_dir() == top / "sample_configs"
