"""Adding, editing and removing a cluster by form."""

from __future__ import annotations

import asyncio

from pydantic import SecretStr
from textual.pilot import Pilot

from ccr_tui.app import CcrApp
from ccr_tui.screens.cluster_form.screen import ClusterFormScreen
from ccr_tui.screens.clusters.screen import ClustersScreen
from ccr_tui.screens.editing.removing import remove
from ccr_tui.screens.overview.screen import OverviewScreen
from engine.errors import CcrError, ConfigError
from tests.tui.driving import (
    console,
    screen_lines,
    screen_text,
    settle,
    type_ahead,
    until,
    until_shown,
)
from tests.tui.scripted import ScriptedEngine, small_engine
from tests.tui.scripted_connection import WRONG_PASSWORD

PASSWORD = "hunter2!"


async def open_form(app: CcrApp, name: str = "") -> ClusterFormScreen:
    app.go("cluster_form", name)
    await until(lambda: isinstance(app.screen, ClusterFormScreen) and app.screen.focused)
    assert isinstance(app.screen, ClusterFormScreen)
    return app.screen


def form(app: CcrApp) -> ClusterFormScreen:
    assert isinstance(app.screen, ClusterFormScreen)
    return app.screen


async def tried(app: CcrApp, engine: ScriptedEngine) -> None:
    """Wait until the engine was asked about what was typed last."""
    before = engine.config.proposals
    await until(lambda: engine.config.proposals > before)
    await asyncio.sleep(0)


async def fill_in(pilot: Pilot[None]) -> None:
    """Type a SASL cluster, as one goes from field to field."""
    await type_ahead(pilot, *"eu", "tab", *"eu-1:9093", "enter", *"eu-2:9093", "tab")
    await type_ahead(pilot, "p", "tab", "right", "right", "tab")  # production, SASL_PLAINTEXT
    await type_ahead(pilot, "S", "tab", *"ccr", "tab", *PASSWORD)


def line_with(app: CcrApp, text: str) -> str:
    return next(line for line in screen_lines(app) if text in line)


async def test_a_cluster_with_its_password_in_the_keyring() -> None:
    engine = small_engine()
    async with console(engine, (80, 40)) as (app, pilot):
        screen = await open_form(app)
        assert "sasl username" not in screen_text(app)
        await fill_in(pilot)
        await settle(pilot)
        assert "[SASL_PLAINTEXT]" in line_with(app, "security protocol")
        assert "[SCRAM-SHA-256]" in line_with(app, "sasl mechanism")
        assert "keyring:ccr-eu/ccr" in line_with(app, "is kept in")
        assert "tls ca" not in screen_text(app), "TLS is of no use with this protocol"
        assert PASSWORD not in screen_text(app)
        await pilot.press("f2")
        await until_shown(app, "Save cluster eu?")
        await until_shown(app, "The secret that you typed goes to keyring:ccr-eu/ccr")
        await until_shown(app, "+    security_protocol: SASL_PLAINTEXT")
        assert PASSWORD not in screen_text(app)
        await pilot.press("enter")  # Cancel is in focus
        await until(lambda: app.screen is screen)
        assert (engine.config.saves, engine.config.stored) == (0, [])
        await pilot.press("f2")
        await until_shown(app, "Save cluster eu?")
        await pilot.press("tab", "enter")
        await until(lambda: isinstance(app.screen, OverviewScreen))
    assert engine.config.stored == [("keyring:ccr-eu/ccr", SecretStr(PASSWORD))]
    document = await engine.config.document()
    assert document.section("clusters")["eu"] == {
        "bootstrap_servers": ["eu-1:9093", "eu-2:9093"],
        "environment": "production",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl": {
            "mechanism": "SCRAM-SHA-256",
            "username": "ccr",
            "password": "keyring:ccr-eu/ccr",
        },
    }, "no default was written"
    assert "# the brokers that everybody writes to" in engine.config.text
    assert PASSWORD not in engine.config.text
    assert screen.book["sasl.password"].value() == "keyring:ccr-eu/ccr"
    assert not list(screen.book.secrets()), "the form forgets it"


async def test_what_is_wrong_stands_under_its_field_and_moves_nothing() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        screen = await open_form(app)
        await pilot.press(*"eu", "tab", *"eu-1")
        await tried(app, engine)
        await until_shown(app, "1 field to be put right")
        lines = screen_lines(app)
        at = next(i for i, line in enumerate(lines) if "bootstrap servers" in line)
        assert "line 1: must be host:port, e.g. kafka-1.example:9092" in lines[at + 3]
        environment_at = next(i for i, line in enumerate(lines) if "environment" in line)
        await pilot.press("tab", "f2")
        await until(lambda: screen.focused is screen.book["bootstrap_servers"].control)
        assert engine.config.saves == 0
        await pilot.press(*":9092")
        await tried(app, engine)
        await until_shown(app, "changed, not saved")
        lines = screen_lines(app)
        assert "environment" in lines[environment_at]
        assert "host:port" not in lines[at + 3]


async def test_what_is_missing_is_only_told_when_it_is_saved() -> None:
    engine = small_engine()
    async with console(engine, (80, 40)) as (app, pilot):
        screen = await open_form(app)
        await pilot.press("tab", "tab", "tab", *"S", *"S", "right")  # SASL_SSL
        await tried(app, engine)
        assert "is missing" not in screen_text(app)
        await pilot.press("f2")
        await until_shown(app, "is missing: give it one")
        assert screen.focused is screen.name_row.control
        assert "is missing" in screen.book["bootstrap_servers"].problem
        assert "is missing" in screen.book["sasl.mechanism"].problem
        assert engine.config.saves == 0


async def test_a_name_that_is_taken_and_one_that_is_none() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        screen = await open_form(app)
        await pilot.press(*"dr")
        await until(lambda: screen.name_row.problem == "there is a cluster of that name")
        await pilot.press("!", "tab", *"a:1")
        await until(lambda: "letters, digits" in screen.name_row.problem)


async def test_only_the_fields_that_the_others_ask_for() -> None:
    async with console(small_engine(), (80, 60)) as (app, pilot):
        screen = await open_form(app)

        def shown() -> set[str]:
            return {row.spec.key for row in screen.book.rows.values() if row.display}

        assert not {key for key in shown() if key.startswith(("sasl", "tls"))}
        screen.book["security_protocol"].control.text = "SASL_SSL"
        screen.book["sasl.mechanism"].control.text = "OAUTHBEARER"
        await settle(pilot)
        assert {key for key in shown() if key.startswith("sasl")} == {
            *("sasl.mechanism", "sasl.token_endpoint", "sasl.client_id", "sasl.client_secret"),
            *("sasl.scope", "sasl.extensions", "sasl.token_ca"),
        }
        assert {key for key in shown() if key.startswith("tls")} == {
            *("tls.ca", "tls.truststore", "tls.certificate", "tls.keystore", "tls.verify_hostname"),
        }
        screen.book["tls.keystore"].control.text = "client.p12"
        screen.book["tls.ca"].control.text = "ca.pem"
        await settle(pilot)
        assert {key for key in shown() if key.startswith("tls")} == {
            *("tls.ca", "tls.keystore", "tls.keystore_password", "tls.key_password"),
            "tls.verify_hostname",
        }


async def test_an_existing_cluster_keeps_its_name_and_its_comments() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        screen = await open_form(app, "primary")
        assert screen.name_row.control.disabled
        assert screen.focused is screen.book["bootstrap_servers"].control
        await until_shown(app, "nothing changed")
        await pilot.press("f2")
        await until(lambda: any("Nothing was changed" in t.message for t in app._notifications))
        await pilot.press("tab", "s")
        await until_shown(app, "changed, not saved")
        await pilot.press("ctrl+s")
        await until_shown(app, "-    environment: development")
        await until_shown(app, "+    environment: staging")
        await until_shown(app, "cluster primary restarts")
        await pilot.press("tab", "enter")
        await until(lambda: isinstance(app.screen, OverviewScreen))
    assert "  # the brokers that everybody writes to\n  primary:" in engine.config.text
    assert "    environment: staging\n" in engine.config.text


async def test_leaving_asks_only_when_something_would_be_lost() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_form(app)
        await pilot.press("escape")
        assert isinstance(app.screen, OverviewScreen)
        screen = await open_form(app)
        await pilot.press("x", "escape")
        await until_shown(app, "Leave without saving x?")
        await pilot.press("escape")
        assert app.screen is screen
        await pilot.press("escape", "tab", "enter")
        await until(lambda: isinstance(app.screen, OverviewScreen))


async def test_keys_are_text_in_a_form() -> None:
    async with console(small_engine()) as (app, pilot):
        screen = await open_form(app)
        await pilot.press(*"q1:?/aeD")
        assert screen.name_row.text == "q1:?/aeD"
        await pilot.press("tab", "tab", "q", "1")
        assert app.screen is screen, "a choice takes letters, too"
        assert "Quit" not in screen_lines(app)[-1]
        assert "F2 Save" in screen_lines(app)[-1]


async def test_without_a_keyring_nothing_is_saved_and_the_ways_out_are_told() -> None:
    engine = small_engine()
    engine.config.store_error = CcrError(
        "storing", "ccr-eu/ccr", "there is no keyring here", "Use file:PATH or env:NAME"
    )
    async with console(engine, (80, 40)) as (app, pilot):
        screen = await open_form(app)
        screen.name_row.control.text = "eu"
        screen.book["bootstrap_servers"].control.text = "eu-1:9093"
        screen.book["security_protocol"].control.text = "SASL_PLAINTEXT"
        screen.book["sasl.mechanism"].control.text = "PLAIN"
        screen.book["sasl.username"].control.text = "ccr"
        await settle(pilot)
        screen.book["sasl.password"].focus_control()
        await pilot.press("x")
        await until_shown(app, "No keyring here? Write")
        await pilot.press("f2")
        await until_shown(app, "Save cluster eu?")
        await pilot.press("tab", "enter")
        await until_shown(app, "there is no keyring here")
        await until_shown(app, "Use file:PATH or env:NAME")
        await pilot.press("escape")
        assert engine.config.saves == 0
        assert form(app).book["sasl.password"].changed, "what was typed is still there"


async def test_a_file_that_may_not_be_changed() -> None:
    engine = small_engine()
    engine.config.why_read_only = "it is a template"
    async with console(engine) as (app, pilot):
        await open_form(app, "primary")
        await until_shown(app, "may not be changed: it is a template")
        await pilot.press("tab", "s", "f2")
        await until(lambda: any("it is a template" in t.message for t in app._notifications))
        assert engine.config.saves == 0


async def test_a_file_that_was_changed_meanwhile() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_form(app, "primary")
        await pilot.press("tab", "s", "f2")
        await until_shown(app, "Save cluster primary?")
        engine.config.text += "read_only: false\n"
        await pilot.press("tab", "enter")
        await until_shown(app, "the file was changed meanwhile")
        await pilot.press("escape", "f2")
        await until_shown(app, "Save cluster primary?")
        await pilot.press("tab", "enter")
        await until(lambda: engine.config.saves == 1)


async def test_a_configuration_that_cannot_be_read() -> None:
    engine = small_engine()
    engine.config.error = ConfigError("reading", "orders.yaml", "it is a folder", "Name a file")
    async with console(engine) as (app, pilot):
        app.go("cluster_form", "")
        await until_shown(app, "The configuration cannot be read.")
        await until_shown(app, "it is a folder")
        await pilot.press("f2", "escape")
        assert isinstance(app.screen, OverviewScreen)


async def open_clusters(app: CcrApp, pilot: Pilot[None]) -> ClustersScreen:
    await pilot.press("5")
    await until(lambda: isinstance(app.screen, ClustersScreen) and app.screen.current)
    assert isinstance(app.screen, ClustersScreen)
    return app.screen


async def test_adding_and_editing_from_the_list() -> None:
    async with console(small_engine(), (120, 40)) as (app, pilot):
        clusters = await open_clusters(app, pilot)
        await pilot.press("e")
        await until(lambda: isinstance(app.screen, ClusterFormScreen) and app.screen.focused)
        assert clusters.current is not None
        assert form(app).subject == clusters.current.name
        await pilot.press("escape", "a")
        await until(lambda: isinstance(app.screen, ClusterFormScreen) and app.screen.focused)
        assert form(app).adding


async def test_a_cluster_that_is_used_is_not_removed() -> None:
    engine = small_engine()
    async with console(engine, (120, 40)) as (app, pilot):
        await open_clusters(app, pilot)
        await pilot.press("D")
        await until_shown(app, "it is used by flows primary-to-dr, dr-to-primary")
        await pilot.press("escape")
    assert engine.config.saves == 0


async def test_a_cluster_is_removed_after_its_name_was_typed() -> None:
    engine = small_engine()
    engine.config.text += "  spare: {source: dr, target: primary}\n"
    engine.config.text = engine.config.text.replace(
        "flows:\n", "  old: {bootstrap_servers: [o:1]}\nflows:\n"
    )
    async with console(engine) as (app, pilot):
        app.run_worker(remove(app, app.bridge, "clusters", "old"))
        await until_shown(app, "Remove cluster old?")
        await until_shown(app, "-  old: {bootstrap_servers: [o:1]}")
        await pilot.press("o", "enter", "enter")
        assert engine.config.saves == 0, "that is not its name"
        await pilot.press(*"ld", "enter", "enter")
        await until(lambda: engine.config.saves == 1)
    assert "old" not in (await engine.config.document()).section("clusters")


async def test_the_connection_is_tested_before_anything_is_saved() -> None:
    engine = small_engine()
    async with console(engine, (80, 40)) as (app, pilot):
        screen = await open_form(app)
        screen.name_row.control.text = "eu"
        screen.book["bootstrap_servers"].control.text = "eu-1:9093"
        screen.book["security_protocol"].control.text = "SASL_PLAINTEXT"
        screen.book["sasl.mechanism"].control.text = "SCRAM-SHA-256"
        screen.book["sasl.username"].control.text = "ccr"
        screen.book["sasl.password"].focus_control()
        await pilot.press(*PASSWORD, "f4")
        await until_shown(app, "The connection works.")
        assert "as ccr, by SCRAM-SHA-256" in screen_text(app)
        assert "not needed" in line_with(app, "tls ")
        ((name, section, secrets),) = engine.connections.tested
        assert name == "eu"
        assert section == screen.book.section()[0]
        assert secrets == {"keyring:ccr-eu/ccr": SecretStr(PASSWORD)}
        engine.connections.steps = WRONG_PASSWORD
        await pilot.press("r")
        await until_shown(app, "The step login failed.")
        assert "the broker refuses the login of ccr" in screen_text(app)
        assert "Is the password right?" in screen_text(app)
        await pilot.press("escape")
        assert app.screen is screen
        assert (engine.config.saves, engine.config.stored) == (0, [])


async def test_a_section_that_cannot_be_tested_says_why() -> None:
    engine = small_engine()
    engine.connections.error = ConfigError("testing", "eu", "sasl is missing", "Choose a mechanism")
    async with console(engine) as (app, pilot):
        await open_form(app)
        await pilot.press("f4")
        await until_shown(app, "sasl is missing")
        await until_shown(app, "Choose a mechanism")
