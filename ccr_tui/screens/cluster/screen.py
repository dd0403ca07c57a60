"""What one cluster has, asked for while the screen is open: brokers, topics, groups, quotas."""

from __future__ import annotations

from typing import Any

from textual import on

from ccr_tui import formats
from ccr_tui.actions import GLOBAL, TABLE, ActionContext
from ccr_tui.catalog import REGISTRY
from ccr_tui.screens.asked import TablesScreen
from ccr_tui.screens.cluster import facts, parts
from ccr_tui.screens.cluster.place import SCOPE
from ccr_tui.screens.dialogs.connection import ConnectionDialog
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact
from ccr_tui.widgets.table.filtered import FilteredTable
from ccr_tui.widgets.table.view import LineTable
from engine.api.cluster_snapshots import ClusterDetail, Section

_PARTS = (Section.BROKERS, Section.TOPICS, Section.GROUPS, Section.QUOTAS)


class ClusterScreen(TablesScreen[ClusterDetail]):
    """A table a part; Tab shows the next one."""

    SCOPES = (SCOPE, TABLE, GLOBAL)
    BINDINGS = REGISTRY.bindings(SCOPE)
    EVERY = 5.0

    _part = 0
    _with_internal = False

    async def ask(self) -> ClusterDetail:
        """Ask the cluster, through the engine."""
        return await self.console.bridge.api.clusters.detail(self.subject or "")

    def tables(self, symbols: Symbols) -> tuple[FilteredTable[Any], ...]:
        """Make a table a part, in the order of the parts."""
        return parts.tables(symbols)

    @property
    def shown(self) -> FilteredTable[Any]:
        """The table of the part that is shown."""
        return self.all_tables[self._part]

    def context(self) -> ActionContext:
        """Act on the cluster."""
        return ActionContext(self.console.state, cluster=self.subject)

    def fill(self, answer: ClusterDetail) -> None:
        """Put each part into its table."""
        brokers, topics, groups, quotas = self.all_tables
        brokers.replace(answer.brokers)
        topics.replace(row for row in answer.topics if self._with_internal or not row.internal)
        groups.replace(answer.groups)
        quotas.replace(answer.quotas)

    def headline(self) -> str:
        """Name the cluster and the part."""
        crumb = self.console.symbols.crumb
        return f"{self.subject} {crumb} {_PARTS[self._part]}"

    def told(self, answer: ClusterDetail) -> list[Fact]:
        """Sum the cluster up, with the parts that Tab goes through."""
        tabs = facts.tabs(answer, _PARTS[self._part], with_internal=self._with_internal)
        return [tabs, *facts.summary(answer)]

    def described(self, row: Any) -> tuple[str, list[Fact]]:
        """Describe a row of the part that is shown."""
        return facts.described(row, self.asker.answer)

    def hint(self) -> str:
        """Say how to come to the other parts."""
        return "Tab: the next part"

    def nothing(self, answer: ClusterDetail | None) -> str:
        """Say why a part is empty."""
        if answer is None:
            return f"Asking {self.subject}."
        part = _PARTS[self._part]
        reason = answer.why_not(part)
        if reason is not None:
            return f"No {part}: {formats.one_line(reason.text)}. {reason.next_step}".rstrip()
        return facts.EMPTY[part]

    @on(LineTable.Opened)
    def do_open(self) -> None:
        """Show what is under the cursor in full."""
        self.do_details()

    def do_other_part(self, step: str) -> None:
        """Show the next part, or the one before."""
        self._part = (self._part + int(step)) % len(_PARTS)
        self.filter_bar.display = False
        self.show_table()

    def do_internal(self) -> None:
        """Show or hide internal topics."""
        self._with_internal = not self._with_internal
        self._part = _PARTS.index(Section.TOPICS)
        self.show_table()

    def do_test(self) -> None:
        """Test the connection."""
        clusters = self.console.bridge.api.clusters
        self.app.push_screen(ConnectionDialog(clusters, self.subject or ""))
