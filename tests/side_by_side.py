"""`make test`: the tests that need brokers in two runs, and all others, beside each other.

Tests on brokers mostly wait, the others mostly compute. What the first run says is shown at once,
what the others say when all have ended. Exits with the worst of their exit codes.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO

FAULTS = "tests/faults"
ON_BROKERS = ("-m", "not soak and kafka")
# A cache is one run's own: several at once would write over each other's.
UNCACHED = ("-p", "no:cacheprovider")
RUNS = (
    (*ON_BROKERS, f"--ignore={FAULTS}"),
    (*ON_BROKERS, FAULTS, *UNCACHED),
    ("-m", "not soak and not kafka", *UNCACHED),
)


def _start(run: Sequence[str], said: IO[bytes] | None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", *run]
    return subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT if said else None)


def main(options: Sequence[str]) -> int:
    """Run all; `options` go to each."""
    with tempfile.TemporaryFile() as second, tempfile.TemporaryFile() as third:
        told = (None, second, third)
        runs = [_start((*run, *options), said) for run, said in zip(RUNS, told, strict=True)]
        try:
            codes = [run.wait() for run in runs]
        except KeyboardInterrupt:
            # ctrl+c goes to all of them, too: each takes its brokers down before it ends.
            codes = [128 + signal.SIGINT, *(run.wait() for run in runs)]
        sys.stdout.flush()
        for said in (second, third):
            said.seek(0)
            sys.stdout.buffer.write(said.read())
    return max(abs(code) for code in codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
