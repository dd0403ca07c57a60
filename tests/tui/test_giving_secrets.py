"""A secret that the engine lacks: told where the trouble is, asked for hidden, handed over once."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from textual.widgets import Input

from ccr_tui.screens.dialogs.secret import SecretDialog
from engine.api.snapshots import FlowState, Reason, SecretSnapshot
from engine.config.secrets import SecretState
from engine.errors import RefusedError
from tests.tui.driving import console, screen_text, until, until_gone, until_shown, until_told
from tests.tui.scripted import ScriptedEngine, make_flow

WHY = Reason("reading the secret for cluster primary: the keyring is locked", "Unlock it")
PASSWORD = SecretSnapshot("sasl.password", "keyring:kafka/ccr", SecretState.MISSING)
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])


def lacking(
    *secrets: SecretSnapshot, read_only: bool = False, cluster: str = "primary"
) -> ScriptedEngine:
    engine = ScriptedEngine(
        [make_flow(state=FlowState.WAITING, reason=WHY, owner=None)], read_only=read_only
    )
    engine.set_cluster(cluster, reachable=False, reason=WHY, secrets=secrets or (PASSWORD,))
    return engine


@SIZES
async def test_it_is_asked_for_hidden_and_handed_over(size: tuple[int, int]) -> None:
    engine = lacking()
    async with console(engine, size) as (app, pilot):
        await until_shown(app, "give sasl.password of primary")
        await until_shown(app, "Give secret")
        await pilot.press("K")
        await until_shown(app, "Give sasl.password of primary")
        await until_shown(app, "Configured is keyring:kafka/ccr, which cannot be read")
        await pilot.press(*"hunter2")
        await until_shown(app, "•••••••")
        svg = app.export_screenshot()
        assert "hunter2" not in screen_text(app) + svg
        await pilot.press("enter")
        await until_told(app, "sasl.password of primary is held")
        assert engine.commands() == [
            ("give_secret", "primary", "sasl.password", SecretStr("hunter2"))
        ]
        await until_gone(app, "Give secret")


async def test_nothing_is_given_on_esc_or_without_text() -> None:
    engine = lacking()
    async with console(engine) as (app, pilot):
        await until_shown(app, "Give secret")
        await pilot.press("K")
        await until(lambda: isinstance(app.screen, SecretDialog))
        await pilot.press("enter")
        assert isinstance(app.screen, SecretDialog)
        await pilot.press("x", "escape")
        await until(lambda: not isinstance(app.screen, SecretDialog))
        assert engine.commands() == []


async def test_the_palette_has_it() -> None:
    async with console(lacking()) as (app, pilot):
        await until_shown(app, "Give secret")
        await pilot.press("P", *"give the engine")
        await until_shown(app, "Give the engine a secret")
        await pilot.press("down", "enter")
        await until(lambda: isinstance(app.screen, SecretDialog))


async def test_each_missing_secret_is_asked_for_in_turn() -> None:
    key = SecretSnapshot("tls.key_password", "file:/etc/ccr/key", SecretState.MISSING)
    read = SecretSnapshot("tls.keystore_password", "file:/etc/ccr/store", SecretState.READ)
    engine = lacking(PASSWORD, key, read)
    async with console(engine) as (app, pilot):
        await until_shown(app, "sasl.password of primary and tls.key_password of")
        await pilot.press("K")
        await until_shown(app, "Give sasl.password of primary")
        await pilot.press("a", "enter")
        await until_shown(app, "Give tls.key_password of primary")
        assert app.screen.query_one("#secret", Input).value == ""
        await pilot.press("b", "enter")
        await until(lambda: len(engine.commands()) == 2)
        given = [(call[2], call[3]) for call in engine.commands()]
        assert given == [
            ("sasl.password", SecretStr("a")),
            ("tls.key_password", SecretStr("b")),
        ]


async def test_one_that_was_refused_can_be_given_again() -> None:
    """It can be read (or was given), and yet the cluster does not let us in."""
    given = SecretSnapshot("sasl.password", "keyring:kafka/ccr", SecretState.GIVEN)
    async with console(lacking(given)) as (app, pilot):
        await until_shown(app, "Give secret")
        assert "give sasl.password" not in screen_text(app)
        await pilot.press("K")
        await until_shown(app, "Configured is keyring:kafka/ccr.")


async def test_a_refusal_is_told() -> None:
    engine = lacking()
    engine.command_error = RefusedError("giving a secret for cluster", "primary", "no such key")
    async with console(engine) as (app, pilot):
        await until_shown(app, "Give secret")
        await pilot.press("K")
        await until(lambda: isinstance(app.screen, SecretDialog))
        await pilot.press(*"hunter2", "enter")
        await until_shown(app, "Give sasl.password of primary: failed")
        await until_shown(app, "no such key")
        assert "hunter2" not in screen_text(app)


@pytest.mark.parametrize(
    ("engine", "why"),
    [
        (lacking(read_only=True), "this engine is read-only"),
        (lacking(cluster="dr"), None),
        (ScriptedEngine([make_flow()]), "no cluster of primary-to-dr waits for a secret"),
    ],
    ids=["read-only", "of the target", "connected"],
)
async def test_when_it_can_be_given(engine: ScriptedEngine, why: str | None) -> None:
    async with console(engine) as (app, pilot):
        await pilot.press("K")
        if why is None:
            await until_shown(app, "Give sasl.password of dr")
        else:
            await until_told(app, why)
            assert "for the engine's memory" not in screen_text(app)
