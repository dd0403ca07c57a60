"""The list of clusters, one cluster, and testing a connection from there."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from pydantic import SecretStr
from textual.pilot import Pilot

from ccr_tui.app import CcrApp
from ccr_tui.screens.cluster.columns import quota_value
from ccr_tui.screens.cluster.screen import ClusterScreen
from ccr_tui.screens.clusters.columns import latency
from ccr_tui.screens.clusters.screen import ClustersScreen
from ccr_tui.screens.dialogs.connection import ConnectionDialog
from ccr_tui.screens.dialogs.text import TextDialog
from engine.api.cluster_snapshots import QuotaRow, Reach, Section, TopicRow, Untold
from engine.api.snapshots import Reason, SecretSnapshot
from engine.config.secrets import SecretState
from engine.errors import ConnectError
from tests.tui.driving import (
    console,
    screen_lines,
    screen_text,
    settle,
    until,
    until_gone,
    until_shown,
    until_told,
)
from tests.tui.scripted import ScriptedEngine, small_engine
from tests.tui.scripted_clusters import make_detail
from tests.tui.scripted_connection import WRONG_PASSWORD

AWAY = Reason("connecting to cluster dr at dr:9092: connection refused", "Is the broker running?")
MISSING = SecretSnapshot("sasl.password", "keyring:ccr-dr/ccr", SecretState.MISSING)


def one_away() -> ScriptedEngine:
    engine = small_engine()
    engine.set_cluster("dr", reachable=False, reason=AWAY, secrets=(MISSING,))
    return engine


def clusters(app: CcrApp) -> ClustersScreen:
    assert isinstance(app.screen, ClustersScreen), app.screen
    return app.screen


def cluster(app: CcrApp) -> ClusterScreen:
    assert isinstance(app.screen, ClusterScreen), app.screen
    return app.screen


def words(app: CcrApp) -> str:
    return " ".join(screen_text(app).split())


def shown(app: CcrApp) -> list[object]:
    assert isinstance(app.screen, ClustersScreen | ClusterScreen)
    return list(app.screen.shown.table.book.shown)


async def open_clusters(app: CcrApp, pilot: Pilot[None]) -> ClustersScreen:
    await pilot.press("5")
    await until(lambda: isinstance(app.screen, ClustersScreen) and app.screen.asker.answer)
    await settle(pilot)
    return clusters(app)


async def open_cluster(app: CcrApp, pilot: Pilot[None]) -> ClusterScreen:
    """Go to the first cluster of the list, dr."""
    await open_clusters(app, pilot)
    await pilot.press("enter")
    await until(lambda: isinstance(app.screen, ClusterScreen))
    return cluster(app)


async def test_those_that_are_away_come_first_with_why_and_what_to_do() -> None:
    async with console(one_away(), (120, 40)) as (app, pilot):
        await open_clusters(app, pilot)
        assert shown(app) == ["dr", "primary"]
        text = words(app)
        assert "1 of 2 clusters away" in text
        assert "▸dr ■ away 4.1+ 3 4.2 ms SASL_SSL SCRAM-SHA-512 development" in text
        assert "primary ● reached 4.1+ 3" in text
        assert "Why connecting to cluster dr at dr:9092: connection refused" in text
        assert "Next Is the broker running?" in text
        assert "sasl.password from keyring:ccr-dr/ccr: missing" in text
        assert "source of dr-to-primary target of primary-to-dr" in text
        assert "Login ccr by SCRAM-SHA-512, SASL_SSL" in text
        await pilot.press("down")
        await until_shown(app, "keyring:ccr-primary/ccr: read")
        assert "round trip 4.2 ms, last 5.1 ms" in words(app)


async def test_production_read_only_and_what_is_not_known_is_said() -> None:
    engine = small_engine()
    untried = {"reach": Reach.UNTRIED, "latency": None, "kafka": "", "brokers": 0, "cluster_id": ""}
    engine.clusters.more["dr"] = untried
    engine.clusters.more["primary"] = {"environment": "production", "read_only": True}
    async with console(engine, (120, 40)) as (app, pilot):
        await open_clusters(app, pilot)
        assert "1 not tried yet" in words(app)
        assert "dr ○ untried ? ? ? SASL_SSL" in words(app)
        assert "production RO" in words(app)


async def test_filter_sort_and_details_of_clusters() -> None:
    async with console(one_away()) as (app, pilot):
        await open_clusters(app, pilot)
        await pilot.press("slash", *"prim", "enter")
        await until(lambda: shown(app) == ["primary"])
        await pilot.press("escape")
        await until(lambda: shown(app) == ["dr", "primary"])
        await pilot.press("slash", *"reached", "enter")
        await until(lambda: shown(app) == ["primary"])
        await pilot.press("escape", "S")
        await until(lambda: shown(app) == ["primary", "dr"])  # by state, the other way
        before = clusters(app).shown.table.book.order.column
        await pilot.press("s")
        await until(lambda: clusters(app).shown.table.book.order.column != before)
        await pilot.press("i")
        await until(lambda: isinstance(app.screen, TextDialog))
        assert "Is Kafka 4.1+, 3 brokers, id 5L6g3nShT-eMCtK--X86sw" in words(app)
        await pilot.press("escape", "escape")
        await until(lambda: not isinstance(app.screen, ClustersScreen | TextDialog))


async def test_the_list_stays_while_the_engine_does_not_answer() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_clusters(app, pilot)
        engine.error = ConnectError("asking the engine at", "/run/ccr", "it is gone", "Start ccr")
        clusters(app).asker.poke()
        await until_shown(app, "What you see is")
        assert shown(app) == ["dr", "primary"]


async def test_no_list_yet_says_why() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        engine.error = ConnectError("asking the engine at", "/run/ccr", "it is gone", "Start ccr")
        await pilot.press("5")
        await until_shown(app, "No data: Asking the engine at /run/ccr: it is gone")


async def test_a_secret_is_given_to_the_cluster_under_the_cursor() -> None:
    engine = one_away()
    async with console(engine) as (app, pilot):
        await open_clusters(app, pilot)
        await until_shown(app, "Give secret")
        await pilot.press("K")
        await until_shown(app, "Give sasl.password of dr")
        await pilot.press(*"hunter2", "enter")
        await until_told(app, "sasl.password of dr is held")
        assert engine.commands() == [("give_secret", "dr", "sasl.password", SecretStr("hunter2"))]
        await until_gone(app, "Give secret")
        await pilot.press("K")
        await until_told(app, "dr waits for no secret")


async def test_a_secret_is_given_from_within_the_cluster() -> None:
    engine = one_away()
    async with console(engine) as (app, pilot):
        await open_cluster(app, pilot)
        await until_shown(app, "Give secret")
        await pilot.press("K")
        await until_shown(app, "Give sasl.password of dr")
        await pilot.press(*"hunter2", "enter")
        await until_told(app, "sasl.password of dr is held")
        assert engine.commands() == [("give_secret", "dr", "sasl.password", SecretStr("hunter2"))]


async def test_rows_are_copied_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    async with console(one_away()) as (app, pilot):
        sent: list[str] = []
        monkeypatch.setattr(app, "to_terminal", sent.append)
        await open_clusters(app, pilot)
        await pilot.press("y")
        await until(lambda: sent)
        row = json.loads(base64.b64decode(sent[0].split(";")[-1].rstrip("\x07")))
        assert (row["name"], row["reach"]) == ("dr", "away")
        assert row["reason"]["next_step"] == "Is the broker running?"
        assert row["secrets"][0]["reference"] == "keyring:ccr-dr/ccr"
        await pilot.press("enter", "tab")
        await until(lambda: isinstance(app.screen, ClusterScreen) and shown(app)[:1])
        sent.clear()
        await pilot.press("y")
        await until(lambda: sent)
        row = json.loads(base64.b64decode(sent[0].split(";")[-1].rstrip("\x07")))
        assert (row["name"], row["offline"]) == ("orders.us", 1)


async def test_T_tests_the_cluster_and_explains_the_step_that_fails(  # noqa: N802
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = one_away()
    engine.connections.steps = WRONG_PASSWORD
    async with console(engine) as (app, pilot):
        await open_clusters(app, pilot)
        await pilot.press("T")
        await until(lambda: isinstance(app.screen, ConnectionDialog))
        await until_shown(app, "the broker refuses the login of ccr")
        assert "Is the password right?" in words(app)
        assert "not reached" in words(app)
        assert engine.connections.tested == [("dr", None, None)]
        sent: list[str] = []
        monkeypatch.setattr(app, "to_terminal", sent.append)
        await pilot.press("c")
        await until_told(app, "Sent to the terminal")
        copied = base64.b64decode(sent[0].split(";")[-1].rstrip("\x07")).decode()
        assert copied.startswith("Connection to dr\n")
        assert "Is the password right?" in copied
        await pilot.press("r")
        await until(lambda: len(engine.connections.tested) == 2)
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, ClustersScreen))


async def test_a_test_needs_an_engine_that_answers() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_clusters(app, pilot)
        engine.error = ConnectError("asking the engine at", "/run/ccr", "it is gone", "Start ccr")
        await until(lambda: app.state.failure)
        await pilot.press("T")
        await until_told(app, "the engine does not answer")
        assert engine.connections.tested == []


async def test_brokers_first_with_the_one_that_is_away_on_top() -> None:
    async with console(one_away(), (120, 40)) as (app, pilot):
        await open_cluster(app, pilot)
        await until(lambda: "[brokers 3] topics 3" in words(app))
        assert shown(app) == [3, 1, 2]
        text = words(app)
        assert "3 ■ away kafka-3.example:9093 eu-1c 0 ?" in text
        assert "1 ● reached kafka-1.example:9093 eu-1a 12 31.7 GiB" in text
        assert "controller 101 (voters 101, 102, 103)" in text
        assert "1 partition offline 4 under-replicated" in text
        assert "Why connection refused" in text
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, TextDialog))
        await pilot.press("escape")


async def test_tab_goes_round_the_parts_and_back() -> None:
    async with console(small_engine(), (120, 40)) as (app, pilot):
        await open_cluster(app, pilot)
        await pilot.press("tab")
        await until_shown(app, "dr » topics")
        assert shown(app) == ["orders.us", "orders.eu", "payments"]  # offline, under, in sync
        assert "orders.us ■ 1 offline 6 3 6.5 GiB" in words(app)
        assert "orders.eu ◌ 4 under 12 3 19.6 GiB" in words(app)
        assert "payments ● in sync 5 3 878.9 KiB" in words(app)
        assert "1 partition without a leader: no reads, no writes" in words(app)
        await pilot.press("tab")
        await until_shown(app, "dr » groups")
        assert "audit Empty consumer 0 2" in words(app)
        assert "billing Stable classic 4 1" in words(app)
        await pilot.press("tab")
        await until_shown(app, "dr » quotas")
        assert "ccr any consumer_byte_rate 47.7 MiB/s" in words(app)
        assert "default of all any request_percentage 200%" in words(app)
        await pilot.press("tab")
        await until_shown(app, "dr » brokers")
        await pilot.press("shift+tab")
        await until_shown(app, "dr » quotas")


async def test_internal_topics_are_hidden_until_wanted() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_cluster(app, pilot)
        await pilot.press("I")
        await until(lambda: "__consumer_offsets" in shown(app))
        assert "__consumer_offsets ● in sync 50 3 38.1 MiB internal" in words(app)
        assert "[topics 4]" in words(app)
        await pilot.press("I")
        await until(lambda: "__consumer_offsets" not in shown(app))


async def test_filter_sort_and_back_of_a_cluster() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_cluster(app, pilot)
        await pilot.press("tab", "slash", *"offline", "enter")
        await until(lambda: shown(app) == ["orders.us"])
        await pilot.press("tab")  # a filter is its part's own
        await until(lambda: shown(app) == ["audit", "billing"])
        await pilot.press("shift+tab")
        await until(lambda: shown(app) == ["orders.us"])
        await pilot.press("escape")
        await until(lambda: len(shown(app)) == 3)
        await pilot.press("s")
        await until(lambda: cluster(app).shown.table.book.order.column == "partitions")
        await until(lambda: shown(app) == ["orders.eu", "orders.us", "payments"])
        await pilot.press("S")
        await until(lambda: shown(app) == ["payments", "orders.us", "orders.eu"])
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, ClustersScreen))


async def test_what_is_forbidden_is_said_and_the_rest_is_there() -> None:
    engine = small_engine()
    no = Reason("CLUSTER_AUTHORIZATION_FAILED", "Grant DESCRIBE_CONFIGS on the cluster")
    engine.clusters.details["dr"] = make_detail(
        "dr", quotas=(), quorum=None, controller=None, untold=(Untold(Section.QUOTAS, no),)
    )
    async with console(engine, (120, 40)) as (app, pilot):
        await open_cluster(app, pilot)
        await until_shown(app, "quotas ?")
        assert "Not told: quotas. Grant DESCRIBE_CONFIGS on the cluster" in words(app)
        assert "controller not told" in words(app)
        assert shown(app) == [3, 1, 2]
        await pilot.press("shift+tab")
        await until(lambda: "No quotas: CLUSTER_AUTHORIZATION_FAILED. Grant" in words(app))


async def test_a_cluster_that_is_away_says_why_and_T_tests_it() -> None:  # noqa: N802
    engine = one_away()
    engine.clusters.detail_error = ConnectError(
        "connecting to cluster", "dr at dr:9092", "connection refused", "Is the broker running?"
    )
    async with console(engine) as (app, pilot):
        await open_cluster(app, pilot)
        await until_shown(app, "No data: Connecting to cluster dr at dr:9092: connection refused")
        await pilot.press("T")
        await until(lambda: engine.connections.tested == [("dr", None, None)])
        await pilot.press("escape")
        # It is asked again, and comes back by itself.
        engine.clusters.detail_error = None
        cluster(app).asker.poke()
        await until(lambda: shown(app) == [3, 1, 2])
        # Gone again, what was seen stays, with its age.
        engine.clusters.detail_error = ConnectError("asking cluster", "dr", "no answer", "Wait")
        cluster(app).asker.poke()
        await until_shown(app, "What you see is")
        assert shown(app) == [3, 1, 2]


async def test_an_empty_cluster_says_so() -> None:
    engine = small_engine()
    engine.clusters.details["dr"] = make_detail("dr", topics=(), groups=(), quotas=())
    async with console(engine) as (app, pilot):
        await open_cluster(app, pilot)
        await pilot.press("tab")
        await until_shown(app, "No topic is visible to us")
        await pilot.press("tab")
        await until_shown(app, "No consumer group is visible to us")
        await pilot.press("tab")
        await until_shown(app, "No quota is set that could concern us")


async def test_ten_thousand_topics_scroll_and_hostile_names_are_harmless() -> None:
    engine = small_engine()
    many = tuple(TopicRow(f"topic-{n:05}", False, 1, 3, 0, 0, n) for n in range(10_000))
    hostile = replace(many[0], name="\x1b[31mred\nline", offline=1)
    engine.clusters.details["dr"] = make_detail("dr", topics=(hostile, *many))
    async with console(engine) as (app, pilot):
        await open_cluster(app, pilot)
        await pilot.press("tab")
        await until_shown(app, "[topics 10,001]")
        assert "\x1b" not in screen_text(app)
        await pilot.press("G")
        await until_shown(app, "topic-09999")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (200, 50)])
async def test_every_size_shows_the_name_and_the_state(size: tuple[int, int]) -> None:
    async with console(one_away(), size) as (app, pilot):
        await open_clusters(app, pilot)
        assert "dr" in screen_lines(app)[4]
        assert "away" in screen_lines(app)[4]
        await pilot.press("enter")
        await until_shown(app, "[brokers 3]")


def test_numbers() -> None:
    assert (latency(0.00042), latency(1.25), latency(None)) == ("0.4 ms", "1.2 s", "?")
    assert quota_value(QuotaRow(None, "ccr", "producer_byte_rate", 1024.0)) == "1.0 KiB/s"
    assert quota_value(QuotaRow(None, "ccr", "controller_mutation_rate", 2.5)) == "2.5"
