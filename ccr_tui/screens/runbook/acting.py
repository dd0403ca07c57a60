"""What an operator does about a flow's runbooks: begin one, undo it, go on with it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Generic

from ccr_tui import formats
from ccr_tui.actions import Question
from ccr_tui.asking import AnswerT
from ccr_tui.screens.asked import TablesScreen
from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.dialogs.text import failure_dialog
from ccr_tui.screens.runbook import told
from ccr_tui.screens.runbook.told import View
from engine.api.runbook_protocol import RunbooksApi
from engine.api.runbook_snapshots import Plan, RunOptions
from engine.api.snapshots import CommandResult
from engine.errors import CcrError


class ActingScreen(TablesScreen[AnswerT], Generic[AnswerT]):
    """Carries out plans of one flow, and steers its run."""

    flow_name: str

    @property
    @abstractmethod
    def plan_in_sight(self) -> Plan | None:
        """The plan that is shown; None while none is."""

    @property
    @abstractmethod
    def options(self) -> RunOptions:
        """What was chosen for it."""

    @abstractmethod
    def show_view(self, view: View) -> None:
        """Show another view."""

    @property
    def runbooks(self) -> RunbooksApi:
        """The engine's runbooks."""
        return self.console.bridge.api.runbooks

    def do_begin(self) -> None:
        """Carry out the plan that is shown, once the flow's name was typed."""
        plan = self.plan_in_sight
        if plan is None:
            self.notify("Choose a plan first: Tab.", severity="warning", markup=False)
        elif plan.refused:
            first = next(each for each in plan.findings if each.stops)
            self.notify(f"Not as things are: {formats.one_line(first.text)}", markup=False)
        else:
            self.run_worker(self._begin(plan, self.options), group="commands")

    async def _begin(self, plan: Plan, options: RunOptions) -> None:
        title, body = told.question(plan, options)
        typed = told.to_type(plan, options)
        dialog = ConfirmDialog(Question(title, body, "Begin"), typed=typed, dangerous=True)
        if not await self.app.push_screen_wait(dialog):
            return
        await self._command(
            f"Begin {plan.kind}",
            lambda: self.runbooks.start(plan.flow, plan.kind, options, plan.digest),
        )

    def do_abort(self) -> None:
        """Undo the run, once that was confirmed."""
        self.run_worker(self._abort(), group="commands")

    async def _abort(self) -> None:
        body = "Everything that it has done is undone: the fence comes down, the flow mirrors on."
        question = Question(f"Undo the run of {self.flow_name}?", body, "Undo")
        if await self.app.push_screen_wait(ConfirmDialog(question)):
            await self._command("Undo the run", lambda: self.runbooks.abort(self.flow_name))

    def do_go_on(self) -> None:
        """Try the step again at which the run stopped."""
        going = self._command("Go on", lambda: self.runbooks.go_on(self.flow_name))
        self.run_worker(going, group="commands")

    def do_confirm(self) -> None:
        """Say that what the run asks for is done."""
        done = self._command("Confirm", lambda: self.runbooks.confirm(self.flow_name))
        self.run_worker(done, group="commands")

    async def _command(self, what: str, call: Callable[[], Awaitable[CommandResult]]) -> None:
        try:
            result = await call()
        except CcrError as error:
            self.app.push_screen(failure_dialog(what, error))
            return
        self.notify(f"{what}: {formats.one_line(result.text)}", markup=False)
        self.console.bridge.poke()
        self.show_view(View.RUN)
