"""`ccr`, its console on an engine in memory and failing at F5 (tests/tui/test_crash_page.py)."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import patch

from ccr_tui.app import CcrApp
from ccr_tui.cli import console
from ccr_tui.cli.main import main
from engine.service.attach import Attached
from tests.tui.scripted import small_engine


def _fail(app: CcrApp) -> None:
    password = "hunter2"
    raise ZeroDivisionError(f"{len(password)}")


@contextlib.asynccontextmanager
async def _engine(config: Path, *, read_only: bool) -> AsyncIterator[Attached]:
    here = Path("orders")
    yield Attached(small_engine(), "embedded", here, config, None)  # type: ignore[arg-type]


if __name__ == "__main__":
    with (
        patch.object(CcrApp, "do_refresh_now", _fail),
        patch.object(console, "attach_or_spawn", _engine),
    ):
        sys.exit(main(sys.argv[1:]))
