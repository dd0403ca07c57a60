"""The wheel has everything that ccr needs, and works from where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from engine import __version__

TOP = Path(__file__).parents[2]
# A file of somebody's that is being written may come and go while this test runs.
SHIPPED = ("themes", "sample_configs")


def build(source: Path, kind: str, into: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(into)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (built,) = into.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack a wheel that was built from a source distribution, as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(build(TOP, "sdist", folder / "sdist")) as source:
        source.extractall(folder / "source", filter="data")
    (unpacked,) = (folder / "source").iterdir()
    with zipfile.ZipFile(build(unpacked, "wheel", folder / "wheel")) as wheel:
        wheel.extractall(folder / "site")  # noqa: S202  (built here)
    return folder / "site"


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_what_stands_at_the_top_is_in_the_package(name: str, installed: Path) -> None:
    content = files(installed / "ccr_tui" / "data" / name)
    assert any(path.endswith(".yaml") for path in content)
    assert content == files(TOP / name)


@pytest.mark.parametrize("package", ["engine", "ccr_tui"])
def test_every_file_of_the_packages_is_in_the_wheel(package: str, installed: Path) -> None:
    shipped = {path for path in files(installed / package) if not path.startswith("data/")}
    assert shipped == set(files(TOP / package))


def test_the_metadata(installed: Path) -> None:
    (info,) = installed.glob("ccr-*.dist-info")
    metadata = Parser().parsestr((info / "METADATA").read_text())
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "ccr = ccr_tui.cli.main:main" in (info / "entry_points.txt").read_text()
    assert (info / "licenses" / "LICENSE").read_text() == (TOP / "LICENSE").read_text()
    assert "Apache License" in (TOP / "LICENSE").read_text()


def run_installed(installed: Path, code: str, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=cwd,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_an_installed_ccr_finds_its_resources(installed: Path, tmp_path: Path) -> None:
    code = "from ccr_tui import resources as r; print(r.themes_dir(), r.sample_configs_dir())"
    data = installed / "ccr_tui" / "data"
    assert run_installed(installed, code, tmp_path).split() == [
        str(data / "themes"),
        str(data / "sample_configs"),
    ]


def test_an_installed_ccr_writes_and_checks_a_configuration(
    installed: Path, tmp_path: Path
) -> None:
    code = (
        "from ccr_tui.cli.main import main; import sys;"
        "sys.exit(main(['config', 'init']) or main(['validate', 'ccr.yaml']))"
    )
    assert run_installed(installed, code, tmp_path) == "ccr.yaml: valid: 2 clusters, 1 flow\n"
    schema = installed / "ccr_tui" / "data" / "sample_configs" / "ccr.schema.json"
    assert str(schema) in (tmp_path / "ccr.yaml").read_text()
