"""`make test`: the tests that need brokers, and the others beside them; each wait for the other.

Tests on brokers mostly wait, the others mostly compute. What the first say is shown at once, what
the others say when both have ended. Exits with the worse of the two exit codes.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence

OTHERS = "not soak and not kafka"
ON_BROKERS = "not soak and kafka"


def _pytest(marks: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-m", marks, *options]


def main(options: Sequence[str]) -> int:
    """Run both; `options` go to both."""
    with tempfile.TemporaryFile() as said:
        # A cache is one run's own: two at once would write over each other's.
        runs = [
            subprocess.Popen(_pytest(ON_BROKERS, *options)),
            subprocess.Popen(
                [*_pytest(OTHERS, *options), "-p", "no:cacheprovider"],
                stdout=said,
                stderr=subprocess.STDOUT,
            ),
        ]
        try:
            codes = [run.wait() for run in runs]
        except KeyboardInterrupt:
            # ctrl+c goes to both of them, too: each takes its brokers down before it ends.
            codes = [128 + signal.SIGINT, *(run.wait() for run in runs)]
        said.seek(0)
        sys.stdout.flush()
        sys.stdout.buffer.write(said.read())
    return max(abs(code) for code in codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
