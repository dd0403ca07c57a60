"""CI's promise that nothing is skipped: CCR_FAIL_ON_SKIP=1 makes any skip a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SKIPPING = """
import pytest

def test_good(): pass

@pytest.mark.skip(reason="no broker here")
def test_marked(): assert False

def test_while_running(): pytest.skip("nor there")

@pytest.mark.xfail(reason="known")
def test_known_failure(): assert False
"""
SKIPPED_WHOLE = 'import pytest\npytest.skip("no terminal", allow_module_level=True)\n'


def run(folder: Path, test: str, fail_on_skip: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text((Path(__file__).parents[1] / "conftest.py").read_text())
    (folder / "test_it.py").write_text(test)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", folder, folder],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "CCR_FAIL_ON_SKIP": fail_on_skip,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        check=False,
    )


def test_any_skip_fails_the_run_and_is_named(tmp_path: Path) -> None:
    result = run(tmp_path, SKIPPING, "1")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    listing = result.stdout.partition("CCR_FAIL_ON_SKIP=1")[2]
    assert "test_it.py::test_marked: Skipped: no broker here" in listing
    assert "test_it.py::test_while_running: Skipped: nor there" in listing
    assert "test_known_failure" not in listing


def test_a_skipped_module_fails_the_run(tmp_path: Path) -> None:
    result = run(tmp_path, SKIPPED_WHOLE, "1")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "no terminal" in result.stdout.partition("CCR_FAIL_ON_SKIP=1")[2]


def test_elsewhere_a_skip_is_just_a_skip(tmp_path: Path) -> None:
    assert run(tmp_path, SKIPPING, "").returncode == pytest.ExitCode.OK
