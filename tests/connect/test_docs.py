"""docs/connect.md, followed as written."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from engine.connect.models import State
from engine.connect.proving import in_state
from tests.connect.conftest import CCR, Site

pytestmark = pytest.mark.kafka

DOCS = Path(__file__).parents[2] / "docs" / "connect.md"
FAILS = {"ccr connect list", "ccr connect trace copy"}
"""Commands that exit with 1, because something has failed."""
_FILE = re.compile(r"^```\w+ (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^    (\S.*)$", re.MULTILINE)


async def test_the_walk_through(site: Site) -> None:
    """Every file is written and every command run; only the sandbox is this test's."""
    _, _, text = DOCS.read_text().partition("## Try it")
    text, _, _ = text.partition("\n## ")
    text = text.replace("/tmp/ccr-connect", str(site.folder / "files"))
    files = dict(_FILE.findall(text))
    assert set(files) == {"lines.properties", "copy.sh"}
    for name, content in files.items():
        (site.folder / name).write_text(content)
    site.made += ["lines", "copy"]
    commands = _COMMAND.findall(re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    assert len(commands) > 20
    for command in commands:
        if command.startswith("ccr sandbox"):
            continue
        code, said = run(site, command)
        assert code == (1 if command in FAILS else 0), f"{command}: {said}"
        if command == "ccr connect restart copy":
            assert said == "copy has restarted: task 0, task 1\n"
            await site.until("copy", lambda now: in_state(now, State.RUNNING))
    assert not {"lines", "copy"} & set(await site.client.names())


def run(site: Site, command: str) -> tuple[int, str]:
    """Run a line in a shell that knows `ccr`."""
    ended = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=site.folder, capture_output=True, text=True, timeout=90, check=False,
        stdin=subprocess.DEVNULL,
        env={
            **os.environ,
            "PATH": f"{Path(CCR).parent}{os.pathsep}{os.environ['PATH']}",
            "CCR_CONFIG": str(site.folder / "ccr.yaml"),
        },
    )  # fmt: skip
    return ended.returncode, ended.stdout + ended.stderr
