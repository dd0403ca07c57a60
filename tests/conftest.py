"""What all tests share: real Kafka from the sandbox, fresh names, and no silent skips."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from engine.sandbox import ClusterSpec, Sandbox

FreshTopic = Callable[[str], str]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Two one-broker clusters, `east` and `west`, that all tests of the run share.

    A test that stops or breaks brokers uses a sandbox of its own.
    """
    clusters = {"east": ClusterSpec(), "west": ClusterSpec()}
    shared = Sandbox(tmp_path_factory.mktemp("sandbox"), clusters, ephemeral=True)
    asyncio.run(shared.up())
    try:
        yield shared
    finally:
        asyncio.run(shared.down())


@pytest.fixture
def fresh_topic() -> FreshTopic:
    """Return a maker of topic names that no other test uses: `fresh_topic("orders")`."""
    return lambda prefix="topic": f"{prefix}-{uuid.uuid4().hex[:10]}"


def _skips(session: pytest.Session) -> list[str]:
    if os.environ.get("CCR_FAIL_ON_SKIP") != "1":
        return []
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    return [f"{report.nodeid}: {report.longrepr[2]}" for report in reports]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Make the run fail when anything was skipped and CCR_FAIL_ON_SKIP=1."""
    if _skips(session) and session.exitstatus in {
        pytest.ExitCode.OK,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    }:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why the run failed."""
    session = terminalreporter._session
    skips = _skips(session) if session else []
    if skips:
        terminalreporter.section("failed: CCR_FAIL_ON_SKIP=1 and tests were skipped", red=True)
        for skip in skips:
            terminalreporter.line(skip)
