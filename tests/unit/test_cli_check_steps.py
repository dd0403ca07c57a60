"""`ccr check` of a cluster that is away: the connection step by step."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from ccr_tui.cli.main import main


def test_the_steps_stand_below_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ccr.yaml"
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # not listening
        port = held.getsockname()[1]
        servers = json.dumps([f"127.0.0.1:{port}", "no-such-host.invalid:9092"])
        file.write_text(
            f"version: 1\nclusters:\n  prod: {{bootstrap_servers: {servers}}}\nflows: {{}}\n"
        )
        assert main(["check", "--config", str(file)]) == 3
        lines = capsys.readouterr().out.splitlines()
        steps = lines[lines.index("prod: the connection step by step") + 1 :]
        assert steps[0] == "  prepare: not needed"
        assert steps[1].startswith("  resolve: doubtful, ")
        assert "the name no-such-host.invalid cannot be resolved" in " ".join(steps)
        at = next(n for n, line in enumerate(steps) if line.startswith("  connect: failed, "))
        assert " ".join(" ".join(steps[at + 2 : at + 4]).split()) == (
            f"127.0.0.1:{port}: connection refused. Is the broker running, and the port right?"
        )
        left = "tls, kafka, login, metadata, brokers, permissions"
        assert steps[-1] == f"  not reached: {left}"
        assert max(map(len, lines)) <= 80
        # JSON stays one object.
        assert main(["check", "--config", str(file), "--json"]) == 3
        assert json.loads(capsys.readouterr().out)["clusters"][0]["name"] == "prod"
