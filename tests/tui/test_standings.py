"""Losses and consumer groups: what is said, what is behind it, and when there is nothing to say."""

from __future__ import annotations

import base64
import time
from dataclasses import replace

import pytest

from ccr_tui.screens.groups.screen import GroupsScreen
from ccr_tui.screens.listing import ListingScreen
from ccr_tui.screens.loss.screen import LossScreen
from engine.api.snapshots import Reason
from engine.errors import ConnectError
from engine.service import loss_wording
from tests.tui.driving import (
    console,
    screen_lines,
    screen_text,
    settle,
    until,
    until_gone,
    until_shown,
)
from tests.tui.scripted import T0, small_engine
from tests.tui.scripted_lag import hour
from tests.tui.standings import groups_now, loss_now

LOST = "If primary vanished now: 3,209 records (about 751 KiB) of 2 topics"


def on_one_line(text: str) -> str:
    return " ".join(text.split())


async def test_the_sentence_the_topics_and_a_topics_partitions() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("4")
        await until_shown(app, "orders.us")
        said = on_one_line(screen_text(app))
        assert LOST in said
        assert "Worst of the last hour: 12,345 records" in said
        assert isinstance(app.screen, LossScreen)
        screen = app.screen
        assert [*screen.outer.table.book.shown] == ["orders.eu", "orders.us"]
        assert "1 of them stopped, waiting or paused" in said
        assert "c: copy the sentence" in said
        assert screen.text_to_copy() == loss_wording.sentence(loss_now("primary-to-dr", None, T0))
        await pilot.press("enter")
        await until(lambda: [*screen.inner.table.book.shown] == ["1", "2", "0"])
        await until_shown(app, "source end 1,001,000  mirrored to 999,000")
        await pilot.press("i")
        await until_shown(app, "Esc closes")
        await pilot.press("escape")
        await until_gone(app, "Esc closes")
        await pilot.press("escape")
        await until_shown(app, "orders.us")
        await pilot.press("escape")
        await until(lambda: app.way == ("Overview",))


async def test_groups_worst_first_and_their_partitions() -> None:
    async with console(small_engine(), (120, 40)) as (app, pilot):
        await pilot.press("3")
        await until_shown(app, "dashboards")
        assert isinstance(app.screen, GroupsScreen)
        screen = app.screen
        assert [*screen.outer.table.book.shown] == ["billing", "dashboards", "parcels", "audit"]
        counts = "1 in step  1 behind  1 active on target  1 share group  as of 3s ago"
        await until_shown(app, counts)
        why = next(line for line in screen_lines(app) if " dashboards " in line)
        assert "it has members on dr" in why
        await pilot.press("down")
        await until_shown(app, "what it would read again is not known, what it would lose is not")
        await pilot.press("end")
        await until_shown(app, "could move to the target: nothing read again, missed or lost")
        await pilot.press("home")
        assert "the partition is stopped: what the group has read is not on dr yet" in on_one_line(
            screen_text(app)
        )
        await pilot.press("s", "S")
        await until(lambda: screen.outer.table.book.shown[0] != "billing")
        await pilot.press("S", "enter")
        await until(lambda: screen.opened is not None)
        await pilot.press("escape")
        await pilot.press("slash", *"billing", "enter", "enter")
        await until_shown(app, "1,000,900 on the source  is 998,000 on the target")
        assert "committed there 997,500" in screen_text(app)
        assert "would read 500 records again, 100 unread ones are not there" in screen_text(app)
        await pilot.press("escape", "escape")
        await until_shown(app, "dashboards")


@pytest.mark.parametrize(("key", "kind"), [("3", GroupsScreen), ("4", LossScreen)])
async def test_what_cannot_be_asked_any_more_stays_with_its_reason(
    key: str, kind: type[ListingScreen[object]]
) -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await pilot.press(key)
        await until(lambda: isinstance(app.screen, kind) and app.screen.asker.answer)
        before = screen_text(app)
        engine.command_error = engine.error = ConnectError("asking", "the engine", "it is gone")
        app.screen.asker.poke()  # type: ignore[attr-defined]
        await until_shown(app, "Asking the engine: it is gone")
        row = "orders.us" if key == "4" else "dashboards"
        assert row in before
        assert row in screen_text(app)


@pytest.mark.parametrize(("key", "said"), [("3", "No data: "), ("4", "No data: ")])
async def test_nothing_was_ever_answered(key: str, said: str) -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await settle(pilot)
        engine.error = ConnectError("asking", "the engine", "it is gone")
        await pilot.press(key)
        await until_shown(app, f"{said}Asking the engine: it is gone")


async def test_nothing_to_show() -> None:
    engine = small_engine()
    engine.losses = lambda flow, topic, now: replace(
        loss_now(flow, topic, now), topics=(), lost_records=0, topics_losing=0, groups=()
    )
    engine.groups = lambda flow, now: replace(
        groups_now(flow, now),
        groups=(),
        commits=False,
        reason=Reason("a broker of dr refused: not authorized", "Grant DESCRIBE on groups"),
    )
    async with console(engine) as (app, pilot):
        await pilot.press("4")
        await until_shown(app, "No topic would lose a record.")
        assert "nothing would be lost" in screen_text(app)
        await pilot.press("3")
        await until_shown(app, "No group has committed offsets for the topics of this flow.")
        assert "a broker of dr refused: not authorized" in screen_text(app)
        assert "Nothing is committed on the target" in screen_text(app)


async def test_the_last_hour_of_what_would_be_lost() -> None:
    engine = small_engine()
    async with console(engine, (100, 40)) as (app, pilot):
        await pilot.press("4")
        await until_shown(app, "orders.us")
        await pilot.press("h")
        await until_shown(app, "─ primary-to-dr, the last hour ─")
        peak = time.strftime("%H:%M", time.localtime(engine.current.taken_at - 1795))
        await until_shown(app, f"Would be lost: now 0, min 0, max 45,000 at {peak}")
        await until_shown(app, f"Oldest of them: now 0s, min 0s, max 9.0s at {peak}")
        assert "2 partitions  1 of them" not in screen_text(app)  # in the details' place
        await pilot.press("h", "down")
        await until_shown(app, "─ orders.us, the last hour ─")
        await until(lambda: ("history", "primary-to-dr", "orders.us") in engine.calls)
        await pilot.press("up", "enter")
        await until_shown(app, "─ orders.eu, the last hour ─")
        await pilot.press("h")
        await until_gone(app, ", the last hour")
        await until_shown(app, "source end 1,001,000  mirrored to 999,000")


async def test_ages_below_a_tenth_of_a_second_are_told_apart() -> None:
    engine = small_engine()
    plain = hour("primary-to-dr", None, T0)
    tenths = tuple(None if each is None else each / 200 for each in plain.lost_seconds)
    engine.hours[None] = replace(plain, lost_seconds=tenths)
    async with console(engine, (120, 40)) as (app, pilot):
        await pilot.press("4", "h")
        await until_shown(app, "Oldest of them: now 0s, min 0s, max 45ms")
        await until_shown(app, "   50ms┤")


async def test_c_copies_the_sentence_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setattr("ccr_tui.app.CcrApp.to_terminal", lambda app, text: sent.append(text))
    async with console(small_engine()) as (app, pilot):
        await pilot.press("4")
        await until_shown(app, "orders.us")
        await pilot.press("c")
        await until(lambda: bool(sent))
    head, _, encoded = sent[0].partition("52;c;")
    assert head == "\x1b]"
    sentence = loss_wording.sentence(loss_now("primary-to-dr", None, T0))
    assert base64.b64decode(encoded.removesuffix("\x07")).decode() == sentence


async def test_keys_are_commands_after_a_dialog_over_an_empty_table() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await pilot.press("4")
        await until_shown(app, "orders.us")
        engine.losses = lambda flow, topic, now: replace(
            loss_now(flow, topic, now), topics=(), lost_records=0, topics_losing=0, groups=()
        )
        assert isinstance(app.screen, LossScreen)
        app.screen.asker.poke()
        await until_shown(app, "No topic would lose a record.")
        for _ in range(2):
            await pilot.press("q")
            await until_shown(app, "Quit and stop")
            await pilot.press("escape")
            await until_gone(app, "Quit and stop")
