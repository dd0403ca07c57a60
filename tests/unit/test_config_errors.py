"""What people read when a configuration file is wrong: byte for byte, and without values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.config.loader import load, read
from engine.config.problems import InvalidConfigError
from engine.errors import ConfigError, ExitCode
from tests.unit.config_fields import all_keys_used, leaves

GOLDEN = Path(__file__).parents[1] / "golden" / "config"
CASES = sorted(path.stem for path in GOLDEN.glob("*.yaml"))
SECRET = "hunter2-s3cret"


def message_of(path: Path) -> str:
    with pytest.raises(InvalidConfigError) as caught:
        read(path)
    return str(caught.value)


@pytest.mark.parametrize("case", CASES)
def test_errors_are_told_as_the_golden_file_has_them(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(GOLDEN)
    assert f"{message_of(Path(f'{case}.yaml'))}\n" == Path(f"{case}.txt").read_text()


def test_every_golden_file_has_its_pair() -> None:
    assert CASES
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == CASES


def test_no_golden_message_repeats_a_secret() -> None:
    assert "hunter2" in (GOLDEN / "secrets.yaml").read_text()
    for path in GOLDEN.glob("*.txt"):
        assert not re.search("hun|ter2", path.read_text()), path


# Names of clusters, regexes and config values are what a message is about.
SHOWN = {"source", "target", "topics", "groups", "configs", "acls", "fence_principals"}
NEVER_REPEATED = [key for key in leaves(all_keys_used()) if not SHOWN & set(key)]


@pytest.mark.parametrize("key", NEVER_REPEATED, ids=lambda key: ".".join(map(str, key)))
def test_a_password_in_the_wrong_place_is_not_repeated(
    key: tuple[str | int, ...], tmp_path: Path
) -> None:
    data: Any = all_keys_used()
    section = data
    for part in key[:-1]:
        section = section[part]
    section[key[-1]] = SECRET
    path = tmp_path / "ccr.yaml"
    path.write_text(yaml.safe_dump(data))
    try:
        told = repr(load(path))
    except ConfigError as error:
        told = f"{error}{error!r}"
    # What is no secret by its nature may be shown, and so may paths.
    for shown in ("username='{}'", "client_id='{}'", "scope='{}'", "{{'logicalCluster': '{}'}}"):
        told = told.replace(shown.format(SECRET), "")
    assert SECRET not in told.replace(f"/{SECRET}'", "")


def test_all_problems_come_in_the_files_order() -> None:
    with pytest.raises(InvalidConfigError) as caught:
        read(GOLDEN / "bad_values.yaml")
    lines = [problem.line for problem in caught.value.problems]
    assert lines == sorted(lines, key=lambda line: line or 0)
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty. Run `ccr config init` for a starter"),
        (b"version: 1\nclusters: \xff\n", "it is not UTF-8 text. Save it as UTF-8"),
        (
            b"version: 1\n" + b"#" * 1024 * 1024,
            "it is larger than 1 MiB, which no configuration is",
        ),
        (b"a: &a [*a]\n", "its values are nested without end, or far too many"),
        (b"a: " + b"[" * 50_000, "its values are nested without end, or far too many"),
        (b"version: \x07\n", "the control character U+0007 is not allowed in YAML"),
    ],
    ids=("empty", "latin-1", "large", "endless", "deep", "control"),
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "ccr.yaml"
    path.write_bytes(content)
    assert message_of(path).startswith(str(path))
    assert told in message_of(path)
    assert "\n" not in message_of(path)


def test_aliases_cannot_make_a_small_file_huge(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    path = tmp_path / "ccr.yaml"
    path.write_text("\n".join(lines))
    assert "far too many" in message_of(path)


def test_what_is_not_a_readable_file(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    assert message_of(missing) == (
        f"{missing}: there is no such file. Run `ccr config init` to write a starter"
    )
    assert message_of(tmp_path) == f"{tmp_path}: it is a folder. Name a file in it"
    below_a_file = tmp_path / "file" / "ccr.yaml"
    (tmp_path / "file").write_text("x")
    assert message_of(below_a_file) == f"{below_a_file}: not a directory"


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")  # root may read everything

    path = tmp_path / "ccr.yaml"
    path.write_text("version: 1\n")
    monkeypatch.setattr(Path, "open", refuse)
    assert message_of(path) == f"{path}: permission denied"
