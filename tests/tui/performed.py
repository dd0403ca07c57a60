"""Which actions of the registry the tests of this run performed (kept by conftest.py)."""

from __future__ import annotations

from pathlib import Path

TEST = "test_every_action_was_performed"
IDS: set[str] = set()
RUN: set[Path] = set()
"""The files of tests/tui of which this run has tests."""
