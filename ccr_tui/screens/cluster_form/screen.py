"""The form for one cluster of the configuration."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from ccr_tui.catalog import REGISTRY
from ccr_tui.screens.cluster_form import fields
from ccr_tui.screens.cluster_form.place import SCOPE
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
