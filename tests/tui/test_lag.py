from __future__ import annotations

from dataclasses import replace

from textual.events import Key
from textual.geometry import Offset

from ccr_tui.app import CcrApp
from ccr_tui.screens.lag.filtering import name_of
from ccr_tui.widgets.table import view
from engine.api.snapshots import PartitionState, Reason, SkippedRange, Trend
from tests.tui.driving import (
    console,
    lag,
    open_lag,
    screen_lines,
    screen_text,
    settle,
    until,
    until_gone,
    until_shown,
)
from tests.tui.scripted import (
    STOPPED,
    T0,
    ScriptedEngine,
    make_flow,
    make_partition,
    small_engine,
    small_partitions,
)


def shown(app) -> list[str]:  # type: ignore[no-untyped-def]
    return ["/".join(map(str, key)) for key in lag(app).table.book.shown]


def type_ahead(app: CcrApp, *keys: str) -> None:
    """Put keys into the terminal's input all at once."""
    characters = {"slash": "/", "escape": "\x1b", "enter": "\r"}
    for key in keys:
        app.post_message(Key(key, characters.get(key, key)))


async def test_every_partition_is_there_and_what_needs_someone_comes_first() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_lag(app, pilot)
        rows = [line.split() for line in screen_lines(app)[4:10]]
        assert rows == [
            ["▸orders.eu", "1", "■", "stopped", "2,000", "5m12s", "never", "0", "0", "B"],
            ["payments", "0", "◌", "waiting", "?", "?", "?", "0", "0", "B"],
            ["orders.eu", "2", "▲", "growing", "1,204", "0.8s", "?", "120", "23.4", "KiB"],
            ["orders.eu", "0", "=", "in", "step", "0", "0s", "now", "120", "23.4", "KiB"],
            ["orders.us", "0", "▼", "draining", "5", "0.1s", "?", "120", "23.4", "KiB"],
            ["payments", "1", "=", "in", "step", "0", "0s", "now", "120", "23.4", "KiB"],
        ]


async def test_offsets_have_columns_where_there_is_room() -> None:
    async with console(small_engine(), (120, 40)) as (app, pilot):
        await open_lag(app, pilot)
        assert "SOURCE END" in screen_lines(app)[3]
        assert "MIRRORED TO" in screen_lines(app)[3]
        assert screen_lines(app)[4].split()[4:7] == ["1,001,000", "999,000", "2,000"]


async def test_the_selected_partitions_reason_and_next_step_are_shown_in_full() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_lag(app, pilot)
        text = " ".join(screen_text(app).split())
        assert f"Why {STOPPED.text} (for 5m12s) Next {STOPPED.next_step}" in text
        assert "source end 1,001,000 mirrored to 999,000 target end 998,000" in text


async def test_details_of_a_partition() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("down", "enter")
        await until_shown(app, "Esc closes")
        await until_shown(app, "the leader on dr is not available (broker 2)")
        await pilot.press("escape")
        assert lag(app).table.current.topic == "payments"  # type: ignore[union-attr]


async def test_what_a_mirror_lacks_and_what_is_not_ours_is_told() -> None:
    engine = small_engine()
    gaps = (SkippedRange(3, 5, 0.0, "lost by retention"), SkippedRange(7, 8, 0.0, "quarantined"))
    async with console(engine) as (app, pilot):
        await open_lag(app, pilot)
        assert "Lacks" not in screen_text(app)
        changed = make_partition(
            "orders.eu",
            1,
            state=PartitionState.STOPPED,
            skipped=gaps,
            skipped_records=1_003,
            quarantined_records=1,
            foreign_records=12,
        )
        engine.change([changed])
        await pilot.press("enter")
        await until_shown(app, "1,003 source offsets, last 7 to 7 quarantined; 1 in quarantine")
        await until_shown(app, "12 records in the mirror are not ours")


async def test_sorting_cycles_through_the_columns_and_reverses() -> None:
    async with console(small_engine()) as (app, pilot):
        screen = await open_lag(app, pilot)
        await pilot.press("s")
        await until_shown(app, "LAG▼")
        assert shown(app)[:3] == ["orders.eu/1", "orders.eu/2", "orders.us/0"]
        assert shown(app)[-1] == "payments/0"  # unknown is not the most
        await pilot.press("S")
        await until_shown(app, "LAG▲")
        assert shown(app)[0] == "payments/0"
        assert shown(app)[-1] == "orders.eu/1"
        columns = []
        for _ in range(7):
            await pilot.press("s")
            columns.append(screen.table.book.order.column)
        assert columns == ["behind", "eta", "records", "bytes", "topic", "state", "lag"]


async def test_a_column_is_picked_by_the_palette_or_by_its_head() -> None:
    async with console(small_engine()) as (app, pilot):
        screen = await open_lag(app, pilot)
        await pilot.press("P")
        await pilot.press(*"sort by topic")
        await until_shown(app, "Sort by topic")
        await pilot.press("enter")
        await until_shown(app, "TOPIC▲")
        assert shown(app)[0] == "orders.eu/0"
        place = next(p for p in screen.table.placed if p.column.id == "behind")
        await pilot.click(screen.pane.head, offset=Offset(place.x + 1, 0))
        await until_shown(app, "BEHIND▼")
        assert shown(app)[0] == "orders.eu/1"


async def test_filtering_as_it_is_typed_and_esc_clears() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("slash", *"pay")
        await until(lambda: shown(app) == ["payments/0", "payments/1"])
        await pilot.press("enter")
        await until_shown(app, "1 of 2 in 6 /pay")
        await pilot.press("down")  # the keys are the table's again
        await until_shown(app, "2 of 2 in 6 /pay")
        await pilot.press("escape")
        await until(lambda: len(shown(app)) == 6)
        assert "/pay" not in screen_text(app)
        await pilot.press("escape")
        await until_shown(app, "Events, newest first")


async def test_esc_while_typing_drops_the_filter_and_stays() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("slash", *"!re:^orders", "escape")
        await settle(pilot)
        assert len(shown(app)) == 6
        assert lag(app).table.has_focus


async def test_letters_typed_into_the_filter_are_not_commands() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("slash", *"pqrRst?")
        await until_shown(app, "No partition matches /pqrRst?. Esc clears the filter.")
        assert engine.commands() == []


async def test_a_bad_regex_is_explained_and_the_last_filter_stays() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("slash", *"re:p")
        await until(lambda: shown(app) == ["payments/0", "payments/1"])
        await pilot.press("left_square_bracket")
        await until_shown(app, "not a regex: unterminated character set at position 2")
        assert shown(app) == ["payments/0", "payments/1"]


async def test_the_cursor_stays_on_its_partition_when_the_order_changes(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(view, "ORDER_EVERY", 0.0)
    monkeypatch.setattr(view, "HOLD", 0.0)
    partitions = [make_partition("t", i, lag_records=100 - i) for i in range(40)]
    engine = ScriptedEngine([make_flow(partitions=40)], partitions)
    async with console(engine) as (app, pilot):
        screen = await open_lag(app, pilot)
        await pilot.press("s")
        await until_shown(app, "LAG▼")
        await pilot.press("down", "down", "down")
        row = next(i for i, line in enumerate(screen_lines(app)) if line.startswith("▸"))
        assert name_of(screen.table.current) == "t/3"  # type: ignore[arg-type]
        engine.change([make_partition("t", 3, lag_records=85)])
        await until(lambda: shown(app).index("t/3") == 14)
        await settle(pilot)
        assert name_of(screen.table.current) == "t/3"  # type: ignore[arg-type]
        line = screen_lines(app)[row]
        assert line.startswith("▸t ")
        assert line.split()[1] == "3"


async def test_the_cursor_rests_on_the_top_until_it_is_moved(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(view, "ORDER_EVERY", 0.0)
    monkeypatch.setattr(view, "HOLD", 0.0)
    partitions = [make_partition("t", i, lag_records=100 - i) for i in range(40)]
    engine = ScriptedEngine([make_flow(partitions=40)], partitions)
    async with console(engine) as (app, pilot):
        screen = await open_lag(app, pilot)
        await pilot.press("s")
        await until_shown(app, "LAG▼")
        engine.change([make_partition("t", 0, lag_records=1)])
        await until(lambda: shown(app)[-1] == "t/0")
        await until(lambda: screen_lines(app)[4].split()[:2] == ["▸t", "1"])
        await until_shown(app, "─ t/1 ─")
        await pilot.press("down", "up")
        await pilot.press("down")
        engine.change([make_partition("t", 1, lag_records=1)])
        await until(lambda: shown(app)[-2:] == ["t/0", "t/1"])
        assert name_of(screen.table.current) == "t/2"  # type: ignore[arg-type]


async def test_keys_typed_ahead_are_taken_in_order() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_lag(app, pilot)
        type_ahead(app, "slash", *"eu/p")
        await until_shown(app, "No partition matches /eu/p.")
        type_ahead(app, "escape", "p", "p")  # lost, neither text nor commands
        await until(lambda: len(shown(app)) == 6 and lag(app).table.has_focus)
        type_ahead(app, "j", "j", "k", "enter")
        await until_shown(app, "Esc closes")
        await until_shown(app, "the leader on dr is not available")  # of the second row
        assert engine.commands() == []


async def test_the_order_holds_while_the_cursor_is_being_moved(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(view, "ORDER_EVERY", 0.0)
    monkeypatch.setattr(view, "HOLD", 3600.0)
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_lag(app, pilot)
        before = shown(app)
        await pilot.press("down")
        engine.change([make_partition("payments", 1, trend=Trend.STALLED, lag_records=9)])
        await until_shown(app, "■ stalled ")
        assert shown(app) == before


async def test_partitions_come_and_go() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_lag(app, pilot)
        engine.change([make_partition("brand.new", 0)])
        engine.remove(("orders.us", 0))
        await until_shown(app, "brand.new")
        await until_gone(app, "orders.us")
        assert len(shown(app)) == 6


async def test_the_cursor_moves_to_a_neighbour_when_its_partition_goes() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        screen = await open_lag(app, pilot)
        await pilot.press("down")
        engine.remove(("payments", 0))
        await until(lambda: "payments/0" not in shown(app))
        await until(lambda: name_of(screen.table.current) == "orders.eu/2")  # type: ignore[arg-type]
        await until_shown(app, "─ orders.eu/2 ─")


async def test_pages_that_do_not_add_up_are_read_again_from_the_beginning() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_lag(app, pilot)
        del engine.partitions["orders.us", 0]  # gone without being told
        engine.change([make_partition("orders.eu", 0, lag_records=7)])
        await until_gone(app, "orders.us")
        assert len(shown(app)) == 5


async def test_a_new_engine_behind_the_socket_replaces_all_rows() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_lag(app, pilot)
        engine.partitions = {
            key: replace(p, topic="after." + p.topic) for key, p in engine.partitions.items()
        }
        engine.restart()
        await until_shown(app, "after.orders.eu")
        assert all(name.startswith("after.") for name in shown(app))


async def test_a_partition_that_starts_to_run_again_changes_its_line_only() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await open_lag(app, pilot)
        stopped = small_partitions()[1]
        engine.change([replace(stopped, state=PartitionState.RUNNING, reason=None)])
        await until_gone(app, "■ stopped  ")
        assert "the target refused a batch" not in screen_text(app)


async def test_keys_move_through_the_table() -> None:
    partitions = [make_partition("t", i) for i in range(100)]
    engine = ScriptedEngine([make_flow(partitions=100)], partitions)
    async with console(engine) as (app, pilot):
        screen = await open_lag(app, pilot)
        seen = []
        for key in ("j", "k", "pagedown", "pageup", "G", "g", "end", "home", "down", "up"):
            await pilot.press(key)
            seen.append(screen.table.cursor_index)
        page = screen.table.size.height - 1
        assert seen == [1, 0, page, 0, 99, 0, 99, 0, 1, 0]
        await pilot.press("G")
        await until_shown(app, "100 of 100")
        await pilot.click(screen.table, offset=Offset(5, 0))
        assert screen.table.cursor_index == 99 - page


async def test_a_waiting_partition_without_next_step_says_that_nothing_need_be_done() -> None:
    reason = Reason("broker 2 is away", "", since=T0 - 4)
    partition = make_partition("t", 0, state=PartitionState.WAITING, reason=reason)
    async with console(ScriptedEngine([make_flow()], [partition])) as (app, pilot):
        await open_lag(app, pilot)
        await until_shown(app, "Nothing to do: it is tried again by itself.")


async def test_it_survives_being_made_small() -> None:
    async with console(small_engine()) as (app, pilot):
        await open_lag(app, pilot)
        await pilot.press("down", "down")
        for width, height in ((60, 20), (30, 8), (120, 40), (80, 24)):
            await pilot.resize_terminal(width, height)
            await settle(pilot)
            assert all(len(line) <= width for line in screen_lines(app))
        assert name_of(lag(app).table.current) == "orders.eu/2"  # type: ignore[arg-type]
