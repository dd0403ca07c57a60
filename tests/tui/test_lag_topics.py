"""Lag by topic: drill-down, stuck partitions and what helps, retention, the last hour."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from ccr_tui import formats
from ccr_tui.commands import ask_skip_gap
from ccr_tui.screens.lag.views import ViewName
from ccr_tui.symbols import ASCII
from engine.api.loss_snapshots import HistorySnapshot
from engine.api.snapshots import PartitionState, Trend
from engine.errors import CcrError
from tests.tui.driving import (
    console,
    lag,
    open_topics,
    screen_lines,
    screen_text,
    settle,
    until,
    until_gone,
    until_shown,
    until_told,
)
from tests.tui.scripted import ScriptedEngine, make_flow, make_partition, small_engine
from tests.tui.scripted_lag import gap, overtaken, poison

HOUR_S = 3600.0


def shown(app) -> list[object]:  # type: ignore[no-untyped-def]
    return list(lag(app).table.book.shown)


def with_partition(changed) -> ScriptedEngine:  # type: ignore[no-untyped-def]
    """An engine whose flow has one stopped partition and one in step."""
    return ScriptedEngine(
        [make_flow(partitions_stopped=1)], [changed, make_partition("orders.us", 0)]
    )


async def test_topics_say_what_their_partitions_do_worst_first() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_topics(app, pilot)
        rows = [" ".join(line.split()) for line in screen_lines(app)[4:7]]
        assert rows == [
            "▸orders.eu 3 ■ 1 stopped, 1 growing 3,204 5m12s never 240",
            "payments 2 ◌ 1 waiting 0 0s ? 120",
            "orders.us 1 ▼ draining 5 0.1s ? 120",
        ]
        assert "1 of 3 topics" in screen_lines(app)[1]
        text = " ".join(screen_text(app).split())
        assert "Worst orders.eu/1 Why the target refused a batch" in text
        assert "ETA never at this rate" in text
        assert "hot: partition 1, 62% of the lag" in text


async def test_wide_it_also_shows_trend_and_the_hottest_partition() -> None:
    async with console(small_engine(), (140, 30)) as (app, pilot):
        await open_topics(app, pilot)
        assert "REC/S TREND HOTTEST GAP AT" in " ".join(screen_lines(app)[3].split())
        assert "? unknown p1 62% lag" in " ".join(screen_lines(app)[4].split())


async def test_enter_opens_a_topic_and_esc_comes_back_to_it() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("down", "enter")
        await until_shown(app, "primary-to-dr ▸ payments")
        assert shown(app) == [("payments", 0), ("payments", 1)]
        await pilot.press("down", "escape")
        await until_shown(app, "2 of 3 topics")
        assert lag(app).table.current.topic == "payments"
        await pilot.press("enter")  # as it was left
        await until_shown(app, "2 of 2 partitions")
        await pilot.press("escape", "escape")
        await until_shown(app, "Events, newest first")


async def test_each_table_keeps_its_filter_and_its_order() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("slash", *"orders", "enter", "s")
        await until(lambda: shown(app) == ["orders.eu", "orders.us"])
        await until_shown(app, "LAG▼")
        await pilot.press("v")
        await until(lambda: len(shown(app)) == 6)
        await until_shown(app, "STATUS▼")
        await pilot.press("slash", *"stopped", "enter")
        await until(lambda: shown(app) == [("orders.eu", 1)])
        await pilot.press("v")
        await until(lambda: shown(app) == ["orders.eu", "orders.us"])
        await until_shown(app, "LAG▼")
        await pilot.press("enter")
        await until(lambda: len(shown(app)) == 3)  # the topic's own are not filtered
        await pilot.press("escape", "escape")
        await until(lambda: len(shown(app)) == 3)
        assert "/orders" not in screen_text(app)


async def test_a_filter_finds_topics_by_a_state_of_any_partition() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("slash", *"growing")
        await until(lambda: shown(app) == ["orders.eu"])
        await pilot.press(*"x")
        await until_shown(app, "No topic matches /growingx. Esc clears the filter.")


async def test_topics_follow_their_partitions() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_topics(app, pilot)
        engine.change([make_partition("orders.us", 0, lag_records=1_000_000, trend=Trend.GROWING)])
        await until_shown(app, "▲ growing                   1.0M")
        engine.remove(("payments", 0), ("payments", 1))
        await until_gone(app, "payments")
        engine.change([make_partition("brand.new", 0)])
        await until_shown(app, "brand.new")


async def test_a_topic_that_goes_while_it_is_open_says_so() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("down", "enter")
        await until_shown(app, "▸ payments")
        engine.remove(("payments", 0), ("payments", 1))
        await until_shown(app, "payments is no longer in this flow. Esc goes back to the topics.")


async def test_details_of_a_topic() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("i")
        await until_shown(app, "Esc closes")
        await until_shown(app, "Worst orders.eu/1")


async def test_keys_go_round_what_is_stuck() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_topics(app, pilot)
        places = []
        for key in ("n", "n", "n", "N", "N"):
            await pilot.press(key)
            await settle(pilot)
            partition = lag(app).views.partition
            assert partition is not None
            places.append((partition.topic, partition.partition))
        first, second = ("orders.eu", 1), ("payments", 0)
        assert places == [first, second, first, second, first]
        assert lag(app).views.name is ViewName.TOPIC


async def test_n_in_the_flat_list_stays_there_and_drops_a_filter_that_hides_it() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("v", "slash", *"orders.us", "enter", "n")
        await until_shown(app, "─ payments/0 ─")
        assert lag(app).views.name is ViewName.FLAT
        assert len(shown(app)) == 6


async def test_n_without_anything_stuck_says_so() -> None:
    engine = ScriptedEngine([make_flow()], [make_partition("t", 0)])
    async with console(engine) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("n")
        await until_told(app, "No partition of primary-to-dr is stuck.")


async def test_a_topics_stopped_partitions_are_retried_together() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("r")
        await until_told(app, "orders.eu/None is started again")
        assert engine.commands() == [("retry", "primary-to-dr", "orders.eu", None)]
        await pilot.press("down", "r")
        await until_told(app, "nothing of payments is stopped")


async def test_skipping_a_gap_asks_with_the_exact_range() -> None:
    engine = with_partition(gap(make_partition("orders.eu", 1), 990_000, 994_500))
    async with console(engine) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("n", "A")
        await until_shown(app, "Skip 4,500 lost offsets of orders.eu/1?")
        text = " ".join(screen_text(app).replace("│", " ").split())
        assert "Source offsets 990,000 to 994,499 (4,500 records at most)" in text
        assert "mirroring goes on at 994,500" in text
        await pilot.press("enter")  # Cancel is in focus
        await until_gone(app, "Skip 4,500 lost offsets")
        assert engine.commands() == []
        await pilot.press("A", "right", "enter")
        await until(engine.commands)
        assert engine.commands() == [("retry", "primary-to-dr", "orders.eu", 1, "accept")]


async def test_what_retention_took_since_is_in_the_question() -> None:
    stopped = gap(make_partition("orders.eu", 1), 990_000, 994_500)
    found, _ = overtaken(stopped, -5, gone=6_000)
    async with console(with_partition(replace(stopped, overtaken=found.overtaken))) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("n", "A")
        await until_shown(app, "6,000 are gone by now")
        body = ask_skip_gap(app.screen_stack[-2].context()).body  # type: ignore[attr-defined]
        assert "6,000 are gone by now, up to offset 995,999; all of them are skipped" in body


async def test_quarantine_says_what_is_put_where() -> None:
    engine = with_partition(poison(make_partition("orders.eu", 1), 998_877))
    async with console(engine) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("n", "A")
        await until_shown(app, "Quarantine source offset 998,877 of orders.eu/1?")
        text = " ".join(screen_text(app).replace("│", " ").split())
        assert "the topic ccr.primary-to-dr.quarantine.internal on dr" in text
        assert "INVALID_TIMESTAMP" in text
        await pilot.press("right", "enter")
        await until(engine.commands)
        assert engine.commands() == [("retry", "primary-to-dr", "orders.eu", 1, "accept")]


async def test_what_has_no_range_is_accepted_by_its_reason() -> None:
    stopped = poison(make_partition("orders.eu", 1), 5)
    assert stopped.reason is not None
    reason = replace(stopped.reason, text="topic orders.eu was created anew", skips=None)
    engine = with_partition(replace(stopped, reason=reason))
    async with console(engine) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("n", "A")
        await until_shown(app, "Accept, and go on with orders.eu/1?")
        await until_shown(app, "topic orders.eu was created anew")


async def test_a_flow_that_retention_overtakes_comes_first_in_the_overview() -> None:
    _, found = overtaken(make_partition("zebra", 7), HOUR_S + 50)
    engine = small_engine()
    engine.set_flow("dr-to-primary", overtaken=replace(found, partitions=3))
    async with console(engine) as (app, pilot):
        await until_shown(app, "!1h")
        assert screen_lines(app)[2].startswith("▸dr-to-primary")
        text = " ".join(screen_text(app).split())
        assert "Gap zebra/7: retention overtakes in 1h00m (retention.ms); 3 partitions" in text
        assert "Next Raise retention.ms of zebra on the source until it is in step." in text
        engine.set_flow("dr-to-primary", overtaken=None)
        await until_gone(app, "retention overtakes")
        await settle(pilot)


async def test_retention_that_overtakes_is_the_loudest_thing_there() -> None:
    changed, found = overtaken(make_partition("zebra", 7), HOUR_S + 50)
    engine = small_engine()
    engine.set_flow("primary-to-dr", overtaken=found)
    engine.change([changed])
    at = formats.moment(found.first.at)
    async with console(engine) as (app, pilot):
        await open_topics(app, pilot)
        await until_shown(app, " ! zebra/7: retention overtakes in 1h00m (retention.ms) ")
        assert screen_lines(app)[5].startswith("▸zebra")
        assert f"! gap {at}, 1 growing" in screen_lines(app)[5]
        await pilot.press("slash", *"overtaken", "enter")
        await until(lambda: shown(app) == ["zebra"])
        await pilot.press("enter")
        await until_shown(app, "lag +25 records/s")
        assert screen_lines(app)[5].split()[:5] == ["▸zebra", "7", "!", "gap", at.split()[0]]
        engine.set_flow("primary-to-dr", overtaken=None)
        engine.change([make_partition("zebra", 7)])
        await until_gone(app, "retention overtakes")
        assert screen_lines(app)[4].startswith("▸zebra")  # the warning's line is gone


async def test_what_is_gone_already_is_counted() -> None:
    changed, flow = overtaken(make_partition("zebra", 7), -3, gone=12_345)
    engine = ScriptedEngine([make_flow(overtaken=flow)], [changed])
    async with console(engine) as (app, pilot):
        await open_topics(app, pilot)
        told = "! zebra/7: retention has overtaken (retention.ms): 12,345 records are gone"
        await until_shown(app, told)


async def test_the_last_hour_of_the_flow_then_of_the_topic_then_none() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("h")
        await until_shown(app, "─ primary-to-dr, the last hour ─")
        peak = time.strftime("%H:%M", time.localtime(engine.current.taken_at - 1795))
        await until_shown(app, f"Lag, records: 0 to 45,000 (at {peak})")
        await until_shown(app, "Records/s: 11.0k to 29.0k")
        await until_shown(app, " 50,000┤")
        assert "Why " not in screen_text(app)  # in the details' place
        await pilot.press("h")
        await until_shown(app, "─ orders.eu, the last hour ─")
        await until(lambda: ("history", "primary-to-dr", "orders.eu") in engine.calls)
        await pilot.press("down")
        await until_shown(app, "─ payments, the last hour ─")
        await until(lambda: ("history", "primary-to-dr", "payments") in engine.calls)
        await pilot.press("h")
        await until_gone(app, "the last hour")
        await until_shown(app, "the leader on dr is not available")


async def test_the_hour_in_ascii() -> None:
    async with console(small_engine(), symbols=ASCII) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("h")
        await until_shown(app, " 50,000|")
        assert all(line.isascii() for line in screen_lines(app))


@pytest.mark.parametrize("topic", [None, "orders.eu"])
async def test_no_history_yet_is_said(topic: str | None) -> None:
    engine = small_engine()
    empty = HistorySnapshot("primary-to-dr", topic, 5.0, (), (), (), (), (), ())
    engine.hours[topic] = empty
    async with console(engine) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("h")
        if topic is None:
            await until_shown(app, "No history yet: the engine adds a point every 5 s")
        else:
            await pilot.press("h")
            await until_shown(app, "No history of orders.eu yet: the engine remembers topics that")


async def test_an_hour_that_cannot_be_had_says_why() -> None:
    engine = small_engine()
    failure = CcrError("reading the history of", "primary-to-dr", "it is busy", "Try again")

    async def refuse(flow: str, topic: str | None = None) -> HistorySnapshot:
        raise failure

    engine.flows.history = refuse  # type: ignore[method-assign]
    async with console(engine) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("h")
        await until_shown(app, "Reading the history of primary-to-dr: it is busy. Try again")


ORDERS = {
    "state": "cbda",  # overtaken, growing, starting, draining
    "lag": "bacd",
    "behind": "bcad",
    "eta": "bcad",
    "gap": "cabd",
    "records": "dcba",
    "bytes": "abcd",
    "topic": "abcd",
}


@pytest.mark.parametrize("view", [(), ("v",)], ids=["topics", "flat"])
async def test_every_order(view: tuple[str, ...]) -> None:
    _, soon = overtaken(make_partition("c", 0), 60)
    partitions = [
        make_partition(
            "a", 0, lag_records=20, lag_seconds=1.0, lag_records_per_second=-1.0,
            trend=Trend.DRAINING, records_per_second=1.0, bytes_per_second=4.0,
        ),
        make_partition(
            "b", 0, lag_records=30, lag_seconds=9.0, lag_records_per_second=1.0,
            trend=Trend.GROWING, records_per_second=2.0, bytes_per_second=3.0,
        ),
        make_partition(
            "c", 0, lag_records=10, lag_seconds=3.0, lag_records_per_second=-0.2,
            trend=Trend.DRAINING, records_per_second=3.0, bytes_per_second=2.0,
            overtaken=soon.first,
        ),
        make_partition(
            "d", 0, state=PartitionState.STARTING, lag_records=None, lag_seconds=None,
            records_per_second=4.0, bytes_per_second=1.0,
        ),
    ]  # fmt: skip
    async with console(ScriptedEngine([make_flow()], partitions)) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press(*view)
        await settle(pilot)
        found = {}
        for column in ("lag", *(column for column in ORDERS if column != "lag")):
            lag(app).action_act(f"sort.{column}")
            assert lag(app).table.book.order.column == column
            keys = [key[0] if isinstance(key, tuple) else key for key in shown(app)]
            found[column] = "".join(map(str, keys))
        assert found == ORDERS


async def test_it_survives_being_made_small() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_topics(app, pilot)
        await pilot.press("h")
        for width, height in ((60, 20), (30, 8), (120, 40), (80, 24)):
            await pilot.resize_terminal(width, height)
            await settle(pilot)
            assert all(len(line) <= width for line in screen_lines(app))
        await until_shown(app, "the last hour")
