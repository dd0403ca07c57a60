"""Tests the way to a cluster, step by step, and explains the step that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from pydantic import JsonValue, SecretStr
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from ccr_tui.bridge import told
from ccr_tui.screens.dialogs.base import ScrolledDialog, key_of
from ccr_tui.widgets.facts import Fact, FactsView
from ccr_tui.widgets.table.columns import Cell, Tone
from engine.api.cluster_protocol import ClustersApi
from engine.api.cluster_snapshots import ConnectionTest, StepState, TestStep
from engine.errors import CcrError
from engine.printable import printable

LOOK_EVERY = 0.2
"""Seconds between two looks at a test that is under way."""
_TONES = {
    StepState.OK: Tone.GOOD,
    StepState.DOUBTFUL: Tone.WARN,
    StepState.FAILED: Tone.BAD,
    StepState.RUNNING: Tone.STRONG,
}


class ConnectionDialog(ScrolledDialog[None]):
    """Runs a test as soon as it is opened; closing it leaves the test to itself."""

    LINES = 8

    def __init__(
        self,
        clusters: ClustersApi,
        name: str,
        section: Mapping[str, JsonValue] | None = None,
        secrets: Mapping[str, SecretStr] | None = None,
    ) -> None:
        """`section` and `secrets` as `ClustersApi.test` takes them: for what is not saved yet."""
        super().__init__()
        self._clusters = clusters
        self._cluster = name
        self._section = section
        self._secrets = secrets
        self._facts = FactsView()

    def compose(self) -> ComposeResult:
        """Title, steps, how to close."""
        with Vertical(classes="dialog -wide"):
            yield Static(f"Connection to {self._cluster}", markup=False, classes="dialog-title")
            with VerticalScroll(id="steps", can_focus=False):
                yield self._facts
            again, copies, closes = map(key_of, ("dialog.again", "dialog.copy", "dialog.close"))
            yield Static(
                f"{again} tests again, {copies} copies it all, {closes} closes",
                markup=False,
                classes="dialog-hint",
            )

    def on_mount(self) -> None:
        """Begin."""
        self.do_again()

    def do_again(self) -> None:
        """Test from the beginning."""
        self.run_worker(self._run(), group="test", exclusive=True)

    def do_copy_all(self) -> None:
        """Copy what is shown, for a ticket or a colleague."""
        self.app.copy_to_clipboard(f"Connection to {self._cluster}\n{self._facts.text}\n")

    def do_read(self) -> None:
        """Close."""
        self.do_close()

    async def _run(self) -> None:
        self._facts.show([[("Testing.", Tone.PLAIN)]])
        try:
            test = await self._clusters.test(self._cluster, self._section, self._secrets)
            while not test.done:
                self._show(test)
                await asyncio.sleep(LOOK_EVERY)
                test = await self._clusters.tested(test.id)
        except CcrError as error:
            what, next_step = told(error)
            self._facts.show(
                [
                    [(printable(what), Tone.BAD)],
                    [("Next  ", Tone.DIM), (printable(next_step), Tone.STRONG)],
                ]
            )
            return
        self._show(test)

    def _show(self, test: ConnectionTest) -> None:
        self._facts.show(test_facts(test))
        scroll = self.query_one("#steps", VerticalScroll)
        self.call_after_refresh(scroll.scroll_end, animate=False)


def test_facts(test: ConnectionTest) -> list[Fact]:
    """Say how far a test is, and at its end how it went."""
    facts: list[Fact] = [fact for step in test.steps for fact in _step_facts(step)]
    return [*facts, [("", Tone.PLAIN)], [_verdict(test)]] if test.done else facts


def _verdict(test: ConnectionTest) -> Cell:
    if test.failed is not None:
        return f"The step {test.failed.name} failed.", Tone.BAD
    doubtful = [step.name.value for step in test.steps if step.state is StepState.DOUBTFUL]
    if doubtful:
        return f"The connection works. Doubtful: {', '.join(doubtful)}.", Tone.WARN
    return "The connection works.", Tone.GOOD


def _step_facts(step: TestStep) -> Iterator[Fact]:
    took = f"  {step.seconds * 1000:,.0f} ms" if step.seconds is not None else ""
    state = (step.state.value, _TONES.get(step.state, Tone.DIM))
    yield [(f"{step.name:<12} ", Tone.DIM), state, (took, Tone.DIM)]
    if step.state in (StepState.WAITING, StepState.SKIPPED):
        return
    indent = " " * 13
    for seen in step.seen:
        yield [(indent, Tone.DIM), (printable(seen), Tone.PLAIN)]
    if step.problem:
        yield [(indent, Tone.DIM), (printable(step.problem), _TONES.get(step.state, Tone.PLAIN))]
    if step.next_step:
        yield [(indent, Tone.DIM), (printable(step.next_step), Tone.STRONG)]
