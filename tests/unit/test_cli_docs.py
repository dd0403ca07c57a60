"""docs/cli.md names every field that --json and the log print, and every verb's options."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from ccr_tui.cli import (
    check,
    connect,
    importing,
    info,
    loss,
    reload,
    run,
    sandbox,
    secrets,
    status,
    steer,
    verify,
)
from ccr_tui.cli.info import FileInfo, Info, TerminalInfo
from ccr_tui.cli.sandbox import _sandbox_json
from ccr_tui.cli.secrets import Found, Keyring
from engine.api.acl_snapshots import AclPreview, AclRow
from engine.api.both_ways_snapshots import (
    ConflictSample,
    ConflictsSnapshot,
    InboundFlowSnapshot,
    KeyWrite,
    TopicConflicts,
)
from engine.api.config_snapshots import Applied, ConfigDocument, ConfigProblem, Effect, Proposal
from engine.api.connect_snapshots import (
    ConnectorDetail,
    ConnectorProposal,
    ConnectorRow,
    ConnectorsPage,
    Endpoint,
    SettingChange,
    SettingError,
    TaskRow,
    WorkerLoggers,
)
from engine.api.group_snapshots import GroupPartitionSnapshot, GroupSnapshot, GroupsPage
from engine.api.loss_snapshots import (
    GroupLoss,
    HistorySnapshot,
    LossPoint,
    LossSnapshot,
    PartitionLoss,
    TopicLoss,
)
from engine.api.offsets_snapshots import (
    AlignmentPreview,
    OffsetsSnapshot,
    OffsetsTotals,
    PartitionAlignment,
)
from engine.api.preview_snapshots import (
    ConfigChange,
    Conflict,
    Decision,
    KeptConfig,
    PreviewSnapshot,
    SelectionSnapshot,
    TopicPlan,
    TopicPreview,
    TopicSize,
)
from engine.api.retention_snapshots import FlowOvertaking, Overtaking
from engine.api.runbook_snapshots import Plan, Run, RunFinding, RunOptions, RunsPage, Step
from engine.api.snapshots import (
    ClusterSnapshot,
    CommandResult,
    EngineSnapshot,
    Event,
    FlowSnapshot,
    FlowState,
    Owner,
    PartitionSnapshot,
    PartitionsPage,
    PartitionState,
    RatePoint,
    Reason,
    RehearsalBrief,
    RunBrief,
    SecretSnapshot,
    Skips,
    TopicLimit,
    Trend,
    VerificationSnapshot,
)
from engine.checking import (
    BrokerReport,
    CheckReport,
    ClusterReport,
    FlowReport,
    Permission,
    Problem,
)
from engine.config.secrets import SecretState
from engine.replication.verify.findings import Mismatch
from engine.replication.verify.report import FlowReport as VerifyReport
from engine.replication.verify.report import PartitionReport
from engine.sandbox.jars import kafka_versions
from engine.service.codec import ErrorBody
from engine.service.progress import progress_fields
from tests.unit.test_sandbox_cli import STATUS
from tests.unit.test_status import FLOW

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def words() -> set[str]:
    """Return what stands in inline code."""
    text = re.sub(r"```.*?```", "", DOCS.read_text(), flags=re.DOTALL)
    return set(re.findall(r"[\w.-]+", " ".join(re.findall(r"`([^`]+)`", text))))


@pytest.mark.parametrize(
    "class_",
    [
        Applied,
        Effect,
        ConfigDocument,
        ConfigProblem,
        Proposal,
        EngineSnapshot,
        ClusterSnapshot,
        GroupsPage,
        GroupSnapshot,
        GroupPartitionSnapshot,
        Plan,
        Run,
        RehearsalBrief,
        RunBrief,
        RunFinding,
        RunOptions,
        RunsPage,
        SecretSnapshot,
        Step,
        FlowSnapshot,
        TopicLimit,
        VerificationSnapshot,
        InboundFlowSnapshot,
        ConflictsSnapshot,
        TopicConflicts,
        ConflictSample,
        KeyWrite,
        VerifyReport,
        PartitionReport,
        Mismatch,
        Owner,
        Found,
        Keyring,
        Reason,
        PartitionSnapshot,
        PartitionsPage,
        Overtaking,
        FlowOvertaking,
        Skips,
        RatePoint,
        Event,
        CommandResult,
        Info,
        FileInfo,
        TerminalInfo,
        ErrorBody,
        LossSnapshot,
        TopicLoss,
        PartitionLoss,
        GroupLoss,
        LossPoint,
        HistorySnapshot,
        PreviewSnapshot,
        AclPreview,
        AclRow,
        AlignmentPreview,
        PartitionAlignment,
        OffsetsSnapshot,
        OffsetsTotals,
        SelectionSnapshot,
        TopicPreview,
        TopicPlan,
        TopicSize,
        Decision,
        ConfigChange,
        KeptConfig,
        Conflict,
        CheckReport,
        ClusterReport,
        BrokerReport,
        FlowReport,
        Permission,
        Problem,
        Endpoint,
        ConnectorsPage,
        ConnectorRow,
        TaskRow,
        ConnectorDetail,
        ConnectorProposal,
        SettingChange,
        SettingError,
        WorkerLoggers,
    ],
)
def test_every_field_is_named(class_: type) -> None:
    assert {field.name for field in fields(class_)} <= words()


def test_every_state_and_trend_is_named() -> None:
    text = DOCS.read_text()
    for word in (*FlowState, *PartitionState, *Trend, *SecretState):
        assert f"`{word}`" in text


def test_every_field_of_a_progress_line_is_named() -> None:
    assert progress_fields(FLOW).keys() <= words()


def test_every_event_of_the_service_is_named() -> None:
    sources = (Path(__file__).parents[2] / "engine" / "service").glob("*.py")
    told = {
        name for path in sources for name in re.findall(r'fields\(\s*"(.+?)"', path.read_text())
    }
    assert "service.started" in told
    assert told <= words()


def test_every_option_is_named() -> None:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    verbs = parser.add_subparsers()
    check.add_parser(verbs)
    importing.add_parser(verbs)
    info.add_parser(verbs)
    loss.add_parser(verbs)
    reload.add_parser(verbs)
    status.add_parser(verbs)
    steer.add_parser(verbs)
    verify.add_parser(verbs)
    text = DOCS.read_text()
    for each in (parser, *verbs.choices.values()):
        options = {option for action in each._actions for option in action.option_strings}
        assert {option for option in options - {"-h", "--help"} if option not in text} == set()
    for verb in verbs.choices:
        assert f"ccr {verb}" in text


def test_every_verb_and_option_of_connect_is_named() -> None:
    groups = argparse.ArgumentParser().add_subparsers()
    connect.add_parser(groups)
    _, _, after = DOCS.read_text().partition("## `ccr connect`")
    text, _, _ = after.partition("\n## ")
    for name, verb in _below(groups.choices["connect"]):
        assert re.search(rf"\b{name}\b", text), name
        options = {option for action in verb._actions for option in action.option_strings}
        missing = options - {"-h", "--help", "--config", "--read-only"}
        assert {option for option in missing if option not in text} == set(), name


def _below(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        for name, verb in action.choices.items() if isinstance(action.choices, dict) else ():
            yield name, verb
            yield from _below(verb)


def test_every_option_of_secrets_is_named() -> None:
    groups = argparse.ArgumentParser().add_subparsers()
    secrets.add_parser(groups)
    verbs = groups.choices["secrets"]._subparsers._group_actions[0].choices
    assert {f"ccr secrets {verb}" in DOCS.read_text() for verb in verbs} == {True}
    options = {o for verb in verbs.values() for a in verb._actions for o in a.option_strings}
    assert {"--confirm"} <= options
    assert options - {"-h", "--help"} <= words()


def test_every_option_and_version_of_the_sandbox_is_named() -> None:
    groups = argparse.ArgumentParser().add_subparsers()
    sandbox.add_parser(groups)
    verbs = groups.choices["sandbox"]._subparsers._group_actions[0].choices
    assert {f"ccr sandbox {verb}" in DOCS.read_text() for verb in verbs} == {True}
    options = {o for verb in verbs.values() for a in verb._actions for o in a.option_strings}
    assert {"--kafka-version"} <= options
    assert options - {"-h", "--help"} <= words()
    assert set(kafka_versions()) <= words()
    assert set(_sandbox_json(STATUS)) <= words()
    assert {key for cluster in _sandbox_json(STATUS)["clusters"] for key in cluster} <= words()
