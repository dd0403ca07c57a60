"""What all tests share: real Kafka from the sandbox, fresh names, and no silent skips."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import Callable, Generator, Iterator

import pytest
from hypothesis import settings

from engine.sandbox import ClusterSpec, Sandbox
from tests.secured import Secured, secured_sandbox
from tests.stuck import tell_when_stuck

# Under nohup, or in the background of a script, signals that tests send arrive ignored; what is
# ignored here would be so in every process that a test starts.
for _number, _handler in (
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGINT, signal.default_int_handler),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

# CI (.ci/run) tries the same examples each time; at a desk every run tries others.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
_IN_CI = os.environ.get("CI") or os.environ.get("CCR_FAIL_ON_SKIP") == "1"
settings.load_profile("ci" if _IN_CI else "desk")


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


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Two one-broker clusters with TLS, logins and ACLs, that all tests of the run share."""
    shared = secured_sandbox(tmp_path_factory.mktemp("secured"))
    asyncio.run(shared.sandbox.up())
    try:
        yield shared
    finally:
        asyncio.run(shared.sandbox.down())


@pytest.fixture
def fresh_topic() -> Callable[[str], str]:
    """Return a maker of topic names that no other test uses: `fresh_topic("orders")`."""

    def name(prefix: str) -> str:
        return f"{prefix}-{uuid.uuid4().hex[:10]}"

    return name


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item) -> Generator[None, object, object]:
    """Have a test that takes too long tell what it waited for."""
    done = yield
    tell_when_stuck(item)
    return done


def skipped_tests(session: pytest.Session) -> list[str]:
    """Return the tests that were skipped, with their reasons, where that counts as failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CCR_FAIL_ON_SKIP") != "1" or reporter is None:
        return []
    return [
        f"{report.nodeid}: {report.longrepr[2]}" for report in reporter.stats.get("skipped", [])
    ]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With CCR_FAIL_ON_SKIP=1, fail a run that skipped anything."""
    good = {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    if session.exitstatus in good and skipped_tests(session):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which skips made the run fail."""
    session = terminalreporter._session
    skips = skipped_tests(session) if session else []
    if skips:
        terminalreporter.section("failed, for CCR_FAIL_ON_SKIP=1 and these were skipped", red=True)
        for skip in skips:
            terminalreporter.line(skip)
