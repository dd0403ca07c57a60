"""A screen that edits one entry of the configuration: a cluster, a flow."""

from __future__ import annotations

import asyncio

from ccr_tui.actions import Question
from ccr_tui.screens.dialogs.confirm import ConfirmDialog
from ccr_tui.screens.editing import saving
from ccr_tui.screens.editing.trying import TryingScreen
from ccr_tui.widgets.form.rows import FieldRow
from engine.api.config_snapshots import Applied
from engine.printable import printable


class EditingScreen(TryingScreen):
    """Leaves and saves: after its difference was seen, never by the way."""

    def after_save(self, applied: Applied) -> None:
        """Go on from what was saved."""
        self.dismiss(None)

    def do_leave(self) -> None:
        """Leave; ask first when something would be lost."""
        if not self.changed:
            self.dismiss(None)
            return
        question = Question(
            f"Leave without saving {self.entry_name or f'the new {self.NOUN}'}?",
            "What you changed here is not in the file yet and would be lost.",
            "Leave",
        )
        self.app.push_screen(ConfirmDialog(question), self._leave_answered)

    def _leave_answered(self, leave: bool | None) -> None:
        if leave:
            self.book.forget_secrets()
            self.dismiss(None)

    def do_save(self) -> None:
        """Show what saving changes, then save."""
        self._begin(self._save, "save")

    async def _save(self) -> None:
        self._all_problems = True
        await self.typed_ahead()
        proposal = await self.attempt()
        document = self.document
        if document is None:
            return
        if document.why_read_only:
            why = f"{document.why_read_only}. {document.what_to_do}".rstrip()
            self.notify(printable(why), severity="warning", markup=False)
            return
        wrong = self._first_wrong()
        if wrong is not None:
            self._focus_row(wrong)
            said = f"{wrong.spec.label}: {printable(wrong.problem.splitlines()[0])}"
            self.notify(said, severity="warning", markup=False)
            return
        if proposal is None or proposal.problems:
            others = "; ".join(text for _, text in self._others) or self._trouble
            self.notify(f"Not saved: {printable(others)}", severity="warning", markup=False)
            return
        applied = await saving.save(self, proposal)
        if applied is not None:
            self._saved = True
            self.book.forget_secrets()
            self.after_save(applied)

    async def typed_ahead(self) -> None:
        """Wait until every field has taken in what was typed ahead."""
        rows = (self.name_row, *self.book.rows.values())
        waits = [asyncio.Event() for _ in rows]
        for row, taken_in in zip(rows, waits, strict=True):
            row.typing_control.call_later(taken_in.set)
        await asyncio.gather(*(taken_in.wait() for taken_in in waits))

    def _first_wrong(self) -> FieldRow | None:
        return self.name_row if self.name_row.problem else self.book.first_wrong()
