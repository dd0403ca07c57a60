"""README's picture is the console's own snapshot."""

from __future__ import annotations

from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
SNAPSHOT = REPO / "tests/tui/__snapshots__/test_snapshots/test_overview[120x40].svg"
PICTURE = REPO / "docs/images/overview.svg"


def test_the_picture_is_the_present_overview() -> None:
    """After `pytest --snapshot-update`, copy the snapshot to docs/images/overview.svg."""
    assert f"({PICTURE.relative_to(REPO)})" in (REPO / "README.md").read_text()
    assert PICTURE.read_bytes() == SNAPSHOT.read_bytes()
