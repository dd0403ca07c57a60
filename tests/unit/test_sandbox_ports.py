"""Ports of sandboxes that are started at once, by one process or by several."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.errors import SandboxError
from engine.sandbox import ports

FIRST, LAST = 19_000, 19_010
OTHER = f"""
from engine.sandbox import ports
ports.FIRST_PORT, ports.LAST_PORT = {FIRST}, {LAST}
print(*ports.free_ports(6), flush=True)
input()
"""


def test_no_two_processes_choose_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there yet: brokers take seconds to."""
    monkeypatch.setattr(ports, "FIRST_PORT", FIRST)
    monkeypatch.setattr(ports, "LAST_PORT", LAST)
    with subprocess.Popen(
        [sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = {int(port) for port in other.stdout.readline().split()}
        assert len(theirs) == 6
        ours = set(ports.free_ports(4))
        assert ours | theirs == set(range(FIRST, LAST))
        with pytest.raises(SandboxError, match="fewer than 1 of"):
            ports.free_ports(1)
        other.communicate("\n")
    assert set(ports.free_ports(6)) == theirs
