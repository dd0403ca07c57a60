"""`make test`: the tests that need brokers in two runs, and all others, beside each other.

Tests on brokers mostly wait, the others mostly compute. What the first run says is shown at once,
what the others say when all have ended. Exits with the worst of their exit codes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from engine.errors import CcrError
from tests.class_archive import make_archive

# About half of what there is on brokers, by time; what is new goes to the other half by itself.
SECOND_HALF = (
    "tests/connect",
    "tests/faults",
    "tests/kafka/test_demo.py",
    "tests/kafka/test_runbook_kills.py",
    "tests/kafka/test_sandbox.py",
)
ON_BROKERS = ("-m", "not soak and kafka")
WITHOUT = ("-m", "not soak and not kafka")
# A cache is one run's own: several at once would write over each other's.
UNCACHED = ("-p", "no:cacheprovider")


def _start(
    arguments: Sequence[str],
    said: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start pytest; what it says goes to `said`, without it to the terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments],
        stdout=said,
        stderr=subprocess.STDOUT if said else None,
        env={**os.environ, **(environment or {})},
    )


def _quick_brokers(folder: Path) -> Mapping[str, str]:
    """Return the environment in which brokers start sooner, as far as one can be had."""
    try:
        return asyncio.run(make_archive(folder))
    except CcrError as error:
        print(f"Brokers start as slowly as ever: {error}", flush=True)
        return {}


def main(options: Sequence[str]) -> int:
    """Run all; `options` go to each."""
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryFile() as second,
        tempfile.TemporaryFile() as others,
    ):
        runs = [_start([*WITHOUT, *UNCACHED, *options], others)]
        try:
            quick = _quick_brokers(Path(folder))
            runs.append(_start([*ON_BROKERS, *SECOND_HALF, *UNCACHED, *options], second, quick))
            first = [f"--ignore={path}" for path in SECOND_HALF]
            runs.append(_start([*ON_BROKERS, *first, *options], environment=quick))
            codes = [run.wait() for run in runs]
        except KeyboardInterrupt:
            # ctrl+c goes to all of them, too: each takes its brokers down before it ends.
            codes = [128 + signal.SIGINT, *(run.wait() for run in runs)]
        sys.stdout.flush()
        for said in (second, others):
            said.seek(0)
            sys.stdout.buffer.write(said.read())
    return max(abs(code) for code in codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
