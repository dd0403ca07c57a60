from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ccr_tui.actions import (
    FLOW,
    GLOBAL,
    TABLE,
    ActionContext,
    ActionRegistry,
    Scope,
    Tier,
    key_name,
)
from ccr_tui.app import CcrApp
from ccr_tui.carrying.acts import Carrier
from ccr_tui.catalog import REGISTRY
from ccr_tui.commandline.acts import Commander
from ccr_tui.screens.base import CcrScreen
from ccr_tui.screens.dialogs.actions import DIALOG
from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.dialogs.connection import ConnectionDialog
from ccr_tui.screens.everywhere import PLACES
from ccr_tui.screens.lag.screen import LagScreen
from ccr_tui.screens.overview.screen import OverviewScreen
from ccr_tui.screens.welcome.actions import ANYWHERE, REPORT, START, WELCOME
from ccr_tui.screens.welcome.app import WelcomeApp
from ccr_tui.screens.welcome.base import WelcomeScreen
from ccr_tui.screens.welcome.new import FormScreen
from ccr_tui.screens.welcome.report import ReportScreen
from ccr_tui.screens.welcome.start import StartScreen
from ccr_tui.state import ConsoleMode, ConsoleState
from ccr_tui.widgets.table.view import LineTable
from engine.api.snapshots import EngineSnapshot, FlowState, PartitionState
from tests.tui import performed
from tests.tui.scripted import ELSEWHERE, ScriptedEngine, make_flow, make_partition

OWNERS: dict[Scope, tuple[type, ...]] = {
    **{place.scope: (place.screen_class(), CcrApp) for place in PLACES},
    FLOW: (CcrApp, CcrScreen),
    TABLE: (LineTable,),
    GLOBAL: (CcrApp, CcrScreen, Carrier, Commander),
    DIALOG: (ConfirmDialog, ConnectionDialog),
    ANYWHERE: (WelcomeApp,),
    WELCOME: (WelcomeScreen, FormScreen),
    START: (StartScreen,),
    REPORT: (ReportScreen,),
}


@pytest.mark.parametrize("action", REGISTRY.actions, ids=lambda action: action.id)
def test_every_action_can_be_done(action) -> None:  # type: ignore[no-untyped-def]
    if action.call is not None:
        assert action.ask is not None, "asked in production, so it needs a question"
        return
    handlers = [owner for owner in OWNERS[action.scope] if hasattr(owner, f"do_{action.method}")]
    assert handlers, f"nobody has do_{action.method}"


@pytest.mark.parametrize("screen", [OverviewScreen, LagScreen])
@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("on_event", [False, True])
def test_no_key_means_two_things_at_once(
    screen: type[OverviewScreen | LagScreen], paused: bool, on_event: bool
) -> None:
    engine = ScriptedEngine([make_flow(state=FlowState.PAUSED if paused else FlowState.RUNNING)])
    state = ConsoleState(ConsoleMode.EMBEDDED, "x", engine.current, 0.0)
    event = engine.ring[0] if on_event and engine.ring else None
    context = ActionContext(state, engine.current.flows[0], event=event)
    keys = Counter(
        key
        for action in REGISTRY.in_scopes(screen.SCOPES)
        if action.applies(context)
        for key in action.keys
    )
    assert [key for key, uses in keys.items() if uses > 1] == []


def test_nothing_is_reachable_by_a_control_key_alone() -> None:
    allowed = {"interrupt", "suspend", "welcome.leave"}
    for action in REGISTRY.actions:
        if action.keys and action.id not in allowed:
            assert any("ctrl+" not in key for key in action.keys), action.id


def test_a_key_is_acted_on_before_the_next_one_is_read() -> None:
    bindings = REGISTRY.bindings(*OWNERS)
    late = {binding.id for binding in bindings if not binding.priority}  # type: ignore[union-attr]
    assert late == {"export"}, "it yields to a form's save"


def test_two_actions_with_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="same id"):
        ActionRegistry((REGISTRY["quit"], REGISTRY["quit"]))


@pytest.mark.parametrize(
    ("key", "name"), [("ctrl+p", "^p"), ("escape", "Esc"), ("slash", "/"), ("S", "S"), ("f5", "F5")]
)
def test_keys_are_written_as_people_read_them(key: str, name: str) -> None:
    assert key_name(key) == name


def context(
    snapshot: EngineSnapshot, *, partition_state: PartitionState = PartitionState.RUNNING
) -> ActionContext:
    state = ConsoleState(ConsoleMode.EMBEDDED, "orders.yaml", snapshot, 0.0)
    flow = snapshot.flows[0] if snapshot.flows else None
    return ActionContext(state, flow, make_partition("orders", 3, state=partition_state))


def engine(**changes: object) -> EngineSnapshot:
    return ScriptedEngine([make_flow(**changes)]).current


@pytest.mark.parametrize(
    ("action", "environment", "tier"),
    [
        ("flow.pause", "development", Tier.NONE),
        ("flow.pause", "staging", Tier.NONE),
        ("flow.pause", "production", Tier.ASK),
        ("flow.retry", "production", Tier.ASK),
        ("flow.take_over", "development", Tier.ASK),
        ("flow.take_over", "production", Tier.TYPE),
        ("sort.next", "production", Tier.NONE),
    ],
)
def test_production_raises_the_confirmation_by_a_tier(
    action: str, environment: str, tier: Tier
) -> None:
    snapshot = ScriptedEngine([make_flow()], environment=environment).current
    assert REGISTRY[action].tier_in(context(snapshot)) is tier


STANDBY = {"state": FlowState.STANDBY, "owner": ELSEWHERE, "owned_here": False}


@pytest.mark.parametrize(
    ("action", "changes", "reason"),
    [
        ("flow.pause", {}, None),
        ("flow.pause", STANDBY, "primary-to-dr is run by dr-host-2; take it over first"),
        ("flow.retry", {}, "nothing in primary-to-dr is stopped"),
        ("flow.retry", {"partitions_stopped": 1}, None),
        ("flow.retry", {"state": FlowState.STOPPED}, None),
        ("flow.retry", {"partitions_waiting": 2}, "what waits is retried by itself"),
        ("flow.retry", STANDBY | {"partitions_stopped": 1}, "take it over first"),
        ("flow.take_over", {}, "primary-to-dr is already run by this engine"),
        ("flow.take_over", STANDBY, None),
        ("flow.take_over", {"state": FlowState.STOPPED, "owned_here": False}, "is stopped"),
    ],
)
def test_what_cannot_be_done_says_why(
    action: str, changes: dict[str, object], reason: str | None
) -> None:
    said = REGISTRY[action].why_disabled(context(engine(**changes)))
    assert said == reason if reason is None else reason in (said or "")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (PartitionState.STOPPED, None),
        (PartitionState.WAITING, "orders/3 waits and is retried by itself"),
        (PartitionState.RUNNING, "orders/3 is running, not stopped"),
    ],
)
def test_only_a_stopped_partition_is_retried(state: PartitionState, reason: str | None) -> None:
    action = REGISTRY["partition.retry"]
    assert action.why_disabled(context(engine(), partition_state=state)) == reason


@pytest.mark.parametrize(
    "action", [action.id for action in REGISTRY.actions if action.call is not None]
)
def test_no_command_without_an_engine_that_takes_it(action: str) -> None:
    why = REGISTRY[action].why_disabled
    unanswered = ActionContext(ConsoleState(ConsoleMode.EMBEDDED, "x"), make_flow())
    assert why(unanswered) == "the engine has not answered yet"
    lost = context(engine())
    lost.state.failed("gone", "", 0.0)
    assert why(lost) == "the engine does not answer"
    read_only = ScriptedEngine([make_flow()], read_only=True).current
    assert why(context(read_only)) == "this engine is read-only"
    assert why(context(ScriptedEngine().current)) == "no flow is selected"


@pytest.mark.parametrize("action", ["flow.pause", "flow.retry", "flow.take_over"])
def test_no_command_on_a_flow_into_a_read_only_cluster(action: str) -> None:
    asked = context(engine(partitions_stopped=1, **(STANDBY if "take" in action else {})))
    why = REGISTRY[action].why_disabled
    assert why(asked) is None
    snapshot = asked.state.snapshot
    assert snapshot is not None
    closed = tuple(replace(c, read_only=c.name == "dr") for c in snapshot.clusters)
    asked.state.answered(replace(snapshot, clusters=closed), 0.0)
    assert why(asked) == "cluster dr is read-only in the config"


def test_every_action_was_performed(request: pytest.FixtureRequest) -> None:
    """Moved behind all others. An action without a test that performs it must not be."""
    config = request.config
    missing = {*Path(__file__).parent.glob("test_*.py")} - performed.RUN
    narrowed = config.getoption("keyword") or any("::" in word for word in config.args)
    if missing or narrowed:
        pytest.skip("only where all of tests/tui runs")
    # To suspend takes a real terminal: tests/tui/test_tmux.py.
    assert {action.id for action in REGISTRY.actions} - performed.IDS - {"suspend"} == set()
