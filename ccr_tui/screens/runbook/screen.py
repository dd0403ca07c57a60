"""Runbooks of one flow: what each would do, the run that is under way, and those that were."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Digits, Static

from ccr_tui.actions import FLOW, GLOBAL, TABLE, ActionContext
from ccr_tui.asking import Asker
from ccr_tui.catalog import REGISTRY
from ccr_tui.filtering import Words
from ccr_tui.screens.base import Console
from ccr_tui.screens.dialogs.text import TextDialog
from ccr_tui.screens.runbook import past, rows, told
from ccr_tui.screens.runbook.acting import ActingScreen
from ccr_tui.screens.runbook.choices import Choices
from ccr_tui.screens.runbook.place import SCOPE
from ccr_tui.screens.runbook.rows import Row
from ccr_tui.screens.runbook.told import KINDS, View
from ccr_tui.state import ConsoleState
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.filtered import FilteredTable
from ccr_tui.widgets.table.view import LineTable
from engine.api.runbook_snapshots import Plan, Run, RunOptions, RunsPage
from engine.api.snapshots import FlowSnapshot
from engine.service import run_report

PLAN_WITHIN_S = 60.0
PLAN_EVERY_S = 3.0
READ_EVERY_S = 600.0  # records are read for it
_VIEWS = tuple(View)
_EVERY = {View.FAILBACK: READ_EVERY_S}
_ROOMY = 30  # lines from which on more findings are shown, and the loss in large digits

Answer = RunsPage | Plan


class RunbookScreen(ActingScreen[Answer]):
    """The newest run, a plan, or what was; Tab shows the next."""

    SCOPES = (SCOPE, FLOW, TABLE, GLOBAL)
    BINDINGS = REGISTRY.bindings(SCOPE, FLOW)
    CSS_PATH = "screen.tcss"
    EVERY = 1.0

    def __init__(self, console: Console, subject: str | None = None) -> None:
        self.flow_name = subject or ""
        self._view = View.RUN
        self._choices = Choices()
        super().__init__(console, subject)
        self.planner: Asker[Answer] = Asker(
            self,
            self._ask_plan,
            every=PLAN_EVERY_S,
            within=PLAN_WITHIN_S,
            wanted=lambda: self._view in KINDS,
        )
        self.digits = Digits("", id="lost-number")
        self.beside = Static("", markup=False, id="lost-words")
        self.lost = Horizontal(self.digits, self.beside, id="lost")

    async def ask(self) -> Answer:
        """Ask for the runs."""
        return await self.runbooks.runs(self.flow_name)

    async def _ask_plan(self) -> Answer:
        return await self.runbooks.plan(self.flow_name, KINDS[self._view], self.options)

    @property
    def looking(self) -> Asker[Answer]:
        """The one whose answer is shown."""
        return self.planner if self._view in KINDS else self.asker

    @property
    def options(self) -> RunOptions:
        """What was chosen for the plan that is shown."""
        return self._choices.of(self._view)

    @property
    def plan_in_sight(self) -> Plan | None:
        """The plan that is shown."""
        answer = self.looking.answer
        return answer if isinstance(answer, Plan) else None

    @property
    def run_in_sight(self) -> Run | None:
        """The run that is shown, or the one under the cursor."""
        if self._view is View.PAST:
            return self._runs.table.current
        answer = self.looking.answer
        return told.newest(answer) if isinstance(answer, RunsPage) else None

    def tables(self, symbols: Symbols) -> tuple[FilteredTable[Any], ...]:
        """Make the table of steps and that of runs."""
        words: Words[Row] = Words(lambda row: row.step.title, lambda row: (row.step.state.value,))
        of_runs: Words[Run] = Words(
            lambda run: f"{run.id} {run.by}", lambda run: (run.state.value, run.kind.value)
        )
        self._steps = FilteredTable(rows.table(symbols), words, "step")
        self._runs = FilteredTable(past.table(symbols), of_runs, "run")
        return (self._steps, self._runs)

    @property
    def shown(self) -> FilteredTable[Any]:
        """The table of the view."""
        return self._runs if self._view is View.PAST else self._steps

    @property
    def flow(self) -> FlowSnapshot | None:
        """The flow as the engine sees it now."""
        return self.console.state.flow(self.flow_name)

    def context(self) -> ActionContext:
        """Act on the flow."""
        return ActionContext(self.console.state, self.flow)

    def compose_body(self) -> ComposeResult:
        """Put what would be lost, large, above the rest."""
        yield self.lost
        yield from super().compose_body()

    def on_mount(self) -> None:
        """Begin to ask for plans, too."""
        self.run_worker(self.planner.run(), group="planning")

    def fill(self, answer: Answer) -> None:
        """Put runs and steps into the tables."""
        if isinstance(answer, RunsPage):
            self._runs.replace(answer.runs)
        run = self.run_in_sight
        planned = isinstance(answer, Plan)
        steps = answer.steps if isinstance(answer, Plan) else run.steps if run else ()
        self._steps.replace(Row(number, step, planned) for number, step in enumerate(steps, 1))

    def headline(self) -> str:
        """Name the flow and what is shown."""
        return f"{self.flow_name} {self.console.symbols.crumb} {self._view}"

    def always(self) -> list[Fact]:
        """Say where the flow is, whatever is shown below."""
        symbols = self.console.symbols
        return [
            told.tabs(self._view),
            *told.of_flow(self.flow, symbols),
            *self._choices.told(self._view),
        ]

    def told(self, answer: Answer) -> list[Fact]:
        """Say what is to be known of the plan or the run."""
        if isinstance(answer, Plan):
            return told.of_plan(answer, roomy=self.size.height >= _ROOMY)
        return told.of_run(self.run_in_sight) if self._view is View.RUN else []

    def show_body(self, state: ConsoleState, now: float) -> None:
        """Bring everything up to date, the number of lost records first."""
        plan = self.plan_in_sight
        short = told.lost_in_short(plan.loss) if plan is not None else None
        plain = self.console.symbols.ascii_only or self.size.height < _ROOMY
        shown = short is not None and not plain
        self.lost.set_class(shown, "-shown")
        if short is not None:
            number, words = short
            self.lost.set_class(number == "0", "-nothing")
            self.digits.update(number)
            self.beside.update(words)
        super().show_body(state, now)

    def described(self, row: Any) -> tuple[str, list[Fact]]:
        """Describe a step or a run."""
        return past.described(row) if isinstance(row, Run) else rows.described(row)

    def hint(self) -> str:
        """Say how there is more."""
        what = "the report" if self._view is View.PAST else "the step in full"
        return f"c: copy the sentence  Enter: {what}"

    def nothing(self, answer: Answer | None) -> str:
        """Say why there are no rows."""
        if answer is None and self._view is View.FAILBACK:
            return "Looking for what never arrived: records of both clusters are compared."
        if answer is None:
            return f"Asking what {self._view} would do." if self._view in KINDS else "Asking."
        if self._view is View.PAST:
            return "No run of this flow is on record."
        return "Tab: what promote, failover, failback and a rehearsal would do."

    def text_to_copy(self) -> str:
        """Copy the sentence about the run, its report, or what is to be known of a plan."""
        plan, run = self.plan_in_sight, self.run_in_sight
        if plan is not None:
            return "\n".join("".join(text for text, _ in fact) for fact in told.all_of_plan(plan))
        if run is None:
            return ""
        return run_report.markdown(run) if self._view is View.PAST else run_report.sentence(run)

    @on(LineTable.Opened)
    def _opened(self) -> None:
        self.do_details()

    def do_details(self) -> None:
        """Show the step in full, or the report of the run."""
        run = self.run_in_sight
        if self._view is View.PAST and run is not None:
            self.app.push_screen(TextDialog(f"Report of {run.id}", past.report(run)))
        else:
            super().do_details()

    def do_findings(self) -> None:
        """Show all that is to be known of the plan, or the report of the run as it is now."""
        plan, run = self.plan_in_sight, self.run_in_sight
        if plan is not None:
            title = f"{plan.kind} {plan.flow}: before it is begun"
            self.app.push_screen(TextDialog(title, told.all_of_plan(plan)))
        elif run is not None:
            self.app.push_screen(TextDialog(f"Report of {run.id}", past.report(run)))

    def do_choose(self, name: str) -> None:
        """Choose the next value of an option, and plan anew."""
        if self._choices.next(self._view, name):
            self.show_view(self._view)
        else:
            self.notify(f"{self._view} has no such choice.", markup=False)

    def do_other_view(self, step: str) -> None:
        """Show the next view."""
        self.show_view(_VIEWS[(_VIEWS.index(self._view) + int(step)) % len(_VIEWS)])

    def show_view(self, view: View) -> None:
        """Show a view; what it shows is asked for at once."""
        self._view = view
        self._steps.replace(())
        self.planner.forget(every=_EVERY.get(view, PLAN_EVERY_S))
        self.asker.poke()
        self.show_table()
