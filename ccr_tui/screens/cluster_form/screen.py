"""The form for one cluster of the configuration."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from ccr_tui.catalog import REGISTRY
from ccr_tui.screens.cluster_form import fields
from ccr_tui.screens.cluster_form.place import SCOPE
from ccr_tui.screens.dialogs.connection import ConnectionDialog
from ccr_tui.screens.editing.screen import EditingScreen
from ccr_tui.widgets.form.book import FieldBook
from ccr_tui.widgets.form.rows import FieldRow


class ClusterFormScreen(EditingScreen):
    """Fields of a cluster; of those for login and TLS only the ones that the others ask for."""

    SCOPES = (SCOPE,)
    BINDINGS = REGISTRY.bindings(SCOPE)
    SECTION = "clusters"
    NOUN = "cluster"

    def make_book(self) -> FieldBook:
        """Make the fields."""
        return FieldBook(fields.cluster_rows())

    def compose_form(self) -> ComposeResult:
        """One below the other."""
        with VerticalScroll(can_focus=False, classes="fields"):
            yield self.name_row
            yield from self.book.rows.values()

    def edited(self) -> None:
        """Show the fields that are of use now."""
        self.book.leave_out(fields.of_no_use(self.book))
        fields.propose_secrets(self.book, self.entry_name)

    def show_row(self, row: FieldRow) -> None:
        """Bring a field into sight."""
        row.scroll_visible(animate=False)

    def do_test(self) -> None:
        """Test the connection as the form has it, with the secrets that were typed."""
        self._begin(self._test, "test")

    async def _test(self) -> None:
        await self.typed_ahead()
        section, wrong = self.book.section()
        if wrong:
            self.notify(
                f"Not tested: {'.'.join(map(str, wrong[0][0]))} {wrong[0][1]}", markup=False
            )
            return
        clusters = self.console.bridge.api.clusters
        name = self.entry_name or "the new cluster"
        dialog = ConnectionDialog(clusters, name, section, dict(self.book.secrets()))
        self.app.push_screen(dialog)
