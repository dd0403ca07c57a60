"""Runbooks of one flow: what each would do, and the run that is under way, step by step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual import on

from ccr_tui import formats
from ccr_tui.actions import FLOW, GLOBAL, TABLE, ActionContext, Question
from ccr_tui.catalog import REGISTRY
from ccr_tui.filtering import Words
from ccr_tui.screens.asked import TablesScreen
from ccr_tui.screens.base import Console
from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.dialogs.text import failure_dialog
from ccr_tui.screens.runbook import rows, told
from ccr_tui.screens.runbook.place import SCOPE
from ccr_tui.screens.runbook.rows import Row
from ccr_tui.screens.runbook.told import KINDS, Seen, View
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.filtered import FilteredTable
from ccr_tui.widgets.table.view import LineTable
from engine.api.runbook_snapshots import Plan, RunKind, RunOptions
from engine.api.snapshots import CommandResult, FlowSnapshot
from engine.errors import CcrError
from engine.service import run_report

_VIEWS = tuple(View)


class RunbookScreen(TablesScreen[Seen]):
    """The newest run, or a plan; Tab shows the next."""

    SCOPES = (SCOPE, FLOW, TABLE, GLOBAL)
    BINDINGS = REGISTRY.bindings(SCOPE, FLOW)
    EVERY = 1.0

    def __init__(self, console: Console, subject: str | None = None) -> None:
        self.flow_name = subject or ""
        self._view = View.RUN
        super().__init__(console, subject)

    async def ask(self) -> Seen:
        """Ask for the newest run, and for the plan that is looked at."""
        runbooks = self.console.bridge.api.runbooks
        runs = (await runbooks.runs(self.flow_name)).runs
        kind = KINDS.get(self._view)
        plan = await runbooks.plan(self.flow_name, kind, RunOptions()) if kind else None
        return Seen(runs[0] if runs else None, plan)

    def tables(self, symbols: Symbols) -> tuple[FilteredTable[Any], ...]:
        """Make the one table."""
        steps: LineTable[Row] = LineTable(
            rows.columns(symbols),
            key=lambda row: row.step.name.value,
            tie=lambda row: row.number,
            order=Order("number", descending=False),
            symbols=symbols,
            rests_on_top=True,
            id="steps",
        )
        words: Words[Row] = Words(lambda row: row.step.title, lambda row: (row.step.state.value,))
        return (FilteredTable(steps, words, "step"),)

    @property
    def shown(self) -> FilteredTable[Any]:
        """The one table."""
        return self.all_tables[0]

    @property
    def flow(self) -> FlowSnapshot | None:
        """The flow as the engine sees it now."""
        return self.console.state.flow(self.flow_name)

    def context(self) -> ActionContext:
        """Act on the flow."""
        return ActionContext(self.console.state, self.flow)

    def fill(self, answer: Seen) -> None:
        """Put the steps into the table."""
        planned = self._view is not View.RUN
        of = answer.plan if planned else answer.run
        steps = of.steps if of is not None else ()
        self.shown.replace(Row(number, step, planned) for number, step in enumerate(steps, 1))

    def headline(self) -> str:
        """Name the flow and what is shown."""
        return f"{self.flow_name} {self.console.symbols.crumb} {self._view}"

    def told(self, answer: Seen) -> list[Fact]:
        """Say where the flow is, and what is to be known of the plan or the run."""
        above = [told.tabs(self._view), *told.of_flow(self.flow, self.console.symbols)]
        if self._view is View.RUN:
            return above + told.of_run(answer.run)
        return above + (told.of_plan(answer.plan) if answer.plan is not None else [])

    def described(self, row: Any) -> tuple[str, list[Fact]]:
        """Describe a step."""
        return rows.described(row)

    def hint(self) -> str:
        """Say how there is more."""
        return "c: copy the sentence  Enter: the step in full"

    def nothing(self, answer: Seen | None) -> str:
        """Say why there are no steps."""
        if answer is None:
            return (
                f"Asking what {self._view} would do." if self._view is not View.RUN else "Asking."
            )
        return "Tab: what promote, failover, failback and a rehearsal would do."

    def text_to_copy(self) -> str:
        """Copy the sentence about the run, or about what would be lost."""
        answer = self.asker.answer
        if answer is None:
            return ""
        if self._view is View.RUN:
            return run_report.sentence(answer.run) if answer.run is not None else ""
        return "".join(text for fact in self.told(answer)[1:] for text, _ in [*fact, ("\n", "")])

    @on(LineTable.Opened)
    def _opened(self) -> None:
        self.do_details()

    def do_other_view(self, step: str) -> None:
        """Show the next plan, or the run."""
        self._show(_VIEWS[(_VIEWS.index(self._view) + int(step)) % len(_VIEWS)])

    def _show(self, view: View) -> None:
        self._view = view
        self.asker.forget()
        self.shown.replace(())
        self.show_state()

    # acts

    def do_begin(self) -> None:
        """Carry out the plan that is shown, once the flow's name was typed."""
        plan = self.asker.answer.plan if self.asker.answer else None
        if plan is None:
            self.notify("Choose a plan first: Tab.", severity="warning", markup=False)
        elif plan.refused:
            first = next(each for each in plan.findings if each.stops)
            self.notify(f"Not as things are: {formats.one_line(first.text)}", markup=False)
        else:
            self.run_worker(self._begin(plan), group="commands")

    async def _begin(self, plan: Plan) -> None:
        title, body = told.question(plan)
        typed = None if plan.kind is RunKind.REHEARSAL else plan.flow
        dialog = ConfirmDialog(Question(title, body, "Begin"), typed=typed, dangerous=True)
        if not await self.app.push_screen_wait(dialog):
            return
        runbooks = self.console.bridge.api.runbooks
        await self._command(
            f"Begin {plan.kind}",
            lambda: runbooks.start(plan.flow, plan.kind, RunOptions(), plan.digest),
        )

    def do_abort(self) -> None:
        """Undo the run, once that was confirmed."""
        self.run_worker(self._abort(), group="commands")

    async def _abort(self) -> None:
        body = "Everything that it has done is undone: the fence comes down, the flow mirrors on."
        question = Question(f"Undo the run of {self.flow_name}?", body, "Undo")
        if await self.app.push_screen_wait(ConfirmDialog(question)):
            runbooks = self.console.bridge.api.runbooks
            await self._command("Undo the run", lambda: runbooks.abort(self.flow_name))

    def do_go_on(self) -> None:
        """Try the step again at which the run stopped."""
        runbooks = self.console.bridge.api.runbooks
        going = self._command("Go on", lambda: runbooks.go_on(self.flow_name))
        self.run_worker(going, group="commands")

    def do_confirm(self) -> None:
        """Say that what the run asks for is done."""
        runbooks = self.console.bridge.api.runbooks
        done = self._command("Confirm", lambda: runbooks.confirm(self.flow_name))
        self.run_worker(done, group="commands")

    async def _command(self, what: str, call: Callable[[], Awaitable[CommandResult]]) -> None:
        try:
            result = await call()
        except CcrError as error:
            self.app.push_screen(failure_dialog(what, error))
            return
        self.notify(f"{what}: {formats.one_line(result.text)}", markup=False)
        self.console.bridge.poke()
        self._show(View.RUN)
