from __future__ import annotations

from ccr_tui.screens.facts import LONG_UNSEEN, age_tone
from ccr_tui.state import ConsoleMode, ConsoleState
from ccr_tui.widgets.table.columns import Tone
from engine.api.snapshots import Event, FlowState, Reason, Severity
from tests.tui.driving import (
    console,
    overview,
    screen_lines,
    screen_text,
    settle,
    until,
    until_shown,
)
from tests.tui.scripted import T0, ScriptedEngine, make_flow, small_engine


async def test_a_flow_says_state_lag_and_rates_and_the_worst_comes_first() -> None:
    engine = small_engine()
    engine.set_flow("dr-to-primary", records_per_second=0.0, bytes_per_second=0.0)
    async with console(engine) as (app, _):
        lines = screen_lines(app)
        first, second = lines[2].split(), lines[3].split()
        assert " ".join(first) == (
            "▸primary-to-dr ● running primary → dr ■1 1,204 0.8s 48.1k 12.3 MiB"
        )
        assert second[0] == "dr-to-primary"
        assert second[-5:] == ["0", "0s", "0", "0", "B"]
        assert overview(app).flow.name == "primary-to-dr"  # type: ignore[union-attr]


async def test_wide_terminals_show_more_columns() -> None:
    async with console(small_engine(), (120, 40)) as (app, _):
        head = " ".join(screen_lines(app)[1].split())
        assert head == ("FLOW STATE ROUTE STUCK LAG BEHIND REC/S BYTES/S RECORDS/S 2 MIN AGE OWNER")
        assert screen_lines(app)[2].split()[-3:] == ["0s", "this", "engine"]


async def test_the_selected_flows_reason_is_readable_in_full() -> None:
    reason = Reason(
        "the target cluster dr cannot be reached: all of kafka-1.dr.example:9093, "
        "kafka-2.dr.example:9093 and kafka-3.dr.example:9093 refuse connections",
        "Check that the brokers of dr run and that this host may reach them; it goes on by itself.",
        since=T0 - 75,
    )
    engine = ScriptedEngine([make_flow(state=FlowState.WAITING, reason=reason)])
    async with console(engine) as (app, _):
        shown = " ".join(" ".join(screen_lines(app)[4:12]).split())
        assert reason.text in shown
        assert f"(for 1m15s) Next {reason.next_step}" in shown


async def test_moving_the_cursor_describes_the_other_flow() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("j")
        await until_shown(app, "─ dr-to-primary ─")
        assert overview(app).context().flow.name == "dr-to-primary"  # type: ignore[union-attr]
        await pilot.press("k")
        await until_shown(app, "─ primary-to-dr ─")


async def test_the_cursor_stays_on_its_flow_when_another_becomes_the_worst() -> None:
    engine = small_engine()
    async with console(engine) as (app, _):
        engine.set_flow("dr-to-primary", state=FlowState.STOPPED, reason=Reason("fenced"))
        await until(lambda: screen_lines(app)[2].split()[0].endswith("dr-to-primary"), 10.0)
        assert overview(app).flow.name == "primary-to-dr"  # type: ignore[union-attr]
        assert screen_lines(app)[3].startswith("▸primary-to-dr")


async def test_events_are_newest_first_and_the_one_in_focus_is_described() -> None:
    engine = small_engine()
    async with console(engine) as (app, pilot):
        await until_shown(app, "broker 2 does not answer")
        lines = [line for line in screen_lines(app) if line[1:9].count(":") == 2]
        assert [line.split()[1] for line in lines] == ["warning", "error", "info"]
        await pilot.press("tab", "down")
        text = "Raise max.message.bytes of orders.eu on dr, then retry the partition."
        await until_shown(app, text)
        await until_shown(app, "Enter Event")
        await pilot.press("enter")
        await until_shown(app, "Event 2")
        await pilot.press("escape", "tab")
        await until_shown(app, "─ primary-to-dr ─")


async def test_a_new_event_appears_on_top() -> None:
    engine = small_engine()
    async with console(engine) as (app, _):
        engine.happen(Event(4, T0 + 1, Severity.INFO, "dr", "broker 2 answers again"))
        await until_shown(app, "broker 2 answers again")
        lines = [line for line in screen_lines(app) if line[1:9].count(":") == 2]
        assert "broker 2 answers again" in lines[0]


async def test_details_show_everything_about_the_flow() -> None:
    async with console(small_engine()) as (app, pilot):
        await pilot.press("i")
        await until_shown(app, "Esc closes")
        await until_shown(app, "1,203,444 records, 3.2 GiB since this engine started")
        await pilot.press("escape")
        assert overview(app)


async def test_a_flow_without_an_owner_says_so() -> None:
    engine = ScriptedEngine([make_flow(owner=None, owned_here=False, state=FlowState.STOPPED)])
    async with console(engine, (120, 40)) as (app, _):
        await until_shown(app, "none: no engine runs this flow")
        assert screen_lines(app)[2].split()[-1] == "nobody"


async def test_the_header_says_what_is_at_stake() -> None:
    engine = small_engine(environment="production", read_only=True)
    async with console(engine, mode=ConsoleMode.ATTACHED) as (app, _):
        header = " ".join(screen_lines(app)[0].split())
        assert header == "ccr orders.yaml PRODUCTION RO engine attached · up data 0s old"


async def test_it_survives_being_made_small_and_big_again() -> None:
    async with console(small_engine()) as (app, pilot):
        for width, height in ((60, 20), (40, 10), (20, 5), (120, 40), (80, 24)):
            await pilot.resize_terminal(width, height)
            await settle(pilot)
            lines = screen_lines(app)
            assert len(lines) == height
            assert all(len(line) <= width for line in lines)
            assert height < 10 or "▸primary-to-dr" in screen_text(app)
        await until_shown(app, "? Help")
        assert "▸primary-to-dr" in screen_lines(app)[2]


async def test_the_footer_is_one_row_and_keeps_help_and_quit() -> None:
    async with console(small_engine()) as (app, pilot):
        keys = "Enter Lag  p Pause  R Retry all  Tab Events  m Places  ? Help  q Quit"
        await until_shown(app, keys)
        await pilot.resize_terminal(30, 20)
        await until(lambda: "? Help  q Quit" in screen_lines(app)[-1])


def test_a_flow_that_the_engine_has_not_looked_at_for_long_is_marked() -> None:
    flow = make_flow()
    state = ConsoleState(ConsoleMode.EMBEDDED, "x", ScriptedEngine([flow]).current, 100.0)
    assert age_tone(flow, state, 100.0 + LONG_UNSEEN - 1) is Tone.PLAIN
    assert age_tone(flow, state, 100.0 + LONG_UNSEEN) is Tone.WARN
    assert age_tone(make_flow(observed_at=0.0), state, 100.0) is Tone.WARN
