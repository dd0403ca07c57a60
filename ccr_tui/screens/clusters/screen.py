"""The clusters of the configuration: whether they are reached, by whom, and what uses them."""

from __future__ import annotations

import time
from typing import Any

from textual import on

from ccr_tui import formats
from ccr_tui.actions import GLOBAL, TABLE, ActionContext
from ccr_tui.catalog import REGISTRY
from ccr_tui.filtering import Words
from ccr_tui.screens.asked import TablesScreen
from ccr_tui.screens.clusters.columns import REACH_TONES, cluster_columns, kafka, latency
from ccr_tui.screens.clusters.place import SCOPE
from ccr_tui.screens.dialogs.connection import ConnectionDialog
from ccr_tui.screens.editing.removing import remove
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.facts import Fact, reason_facts
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.columns import Cell, Tone
from ccr_tui.widgets.table.filtered import FilteredTable
from ccr_tui.widgets.table.view import LineTable
from engine.api.cluster_snapshots import ClusterList, ClusterListing, Reach
from engine.config.secrets import SecretState

_SECRET_TONES = {
    SecretState.READ: Tone.GOOD,
    SecretState.GIVEN: Tone.GOOD,
    SecretState.MISSING: Tone.BAD,
    SecretState.UNREAD: Tone.DIM,
}


class ClustersScreen(TablesScreen[ClusterList]):
    """One row a cluster, those that are away first."""

    SCOPES = (SCOPE, TABLE, GLOBAL)
    BINDINGS = REGISTRY.bindings(SCOPE)

    async def ask(self) -> ClusterList:
        """Ask for the clusters as the engine saw them last."""
        return await self.console.bridge.api.clusters.list()

    def tables(self, symbols: Symbols) -> tuple[FilteredTable[Any], ...]:
        """Make the one table."""
        clusters: LineTable[ClusterListing] = LineTable(
            cluster_columns(symbols),
            key=lambda row: row.name,
            tie=lambda row: row.name,
            order=Order("state", descending=True),
            symbols=symbols,
            rests_on_top=True,
            id="clusters",
        )
        words: Words[ClusterListing] = Words(
            lambda row: row.name, lambda row: (row.reach.value, row.environment)
        )
        return (FilteredTable(clusters, words, "cluster"),)

    @property
    def shown(self) -> FilteredTable[Any]:
        """The one table."""
        return self.all_tables[0]

    @property
    def current(self) -> ClusterListing | None:
        """The cluster under the cursor."""
        row: ClusterListing | None = self.shown.table.current
        return row

    def context(self) -> ActionContext:
        """Act on the cluster under the cursor."""
        cluster = self.current.name if self.current else None
        return ActionContext(self.console.state, cluster=cluster)

    def fill(self, answer: ClusterList) -> None:
        """Put the clusters into the table."""
        self.shown.replace(answer.clusters)

    def headline(self) -> str:
        """Name the place."""
        return "Clusters"

    def told(self, answer: ClusterList) -> list[Fact]:
        """Count those that are away."""
        total = len(answer.clusters)
        away = sum(each.reach is Reach.AWAY for each in answer.clusters)
        untried = sum(each.reach is Reach.UNTRIED for each in answer.clusters)
        if not away and not untried:
            words = "The cluster is" if total == 1 else f"All {total} clusters are"
            return [[(f"{words} reached.", Tone.GOOD)]]
        fact = [(f"{away} of {formats.plural(total, 'cluster')} away", Tone.BAD)] if away else []
        if untried:
            fact.append((f"{'  ' if away else ''}{untried} not tried yet", Tone.DIM))
        return [fact]

    def described(self, row: Any) -> tuple[str, list[Fact]]:
        """Describe a cluster."""
        return row.name, cluster_facts(row, self._ago(row.since), self._ago(row.observed_at))

    def _ago(self, at: float) -> str:
        ago = self.console.state.observed_ago(at, time.monotonic())
        return formats.age(ago) if ago is not None else ""

    def hint(self) -> str:
        """Say what Enter and T do."""
        return "Enter: what is in it  T: test"

    def nothing(self, answer: ClusterList | None) -> str:
        """Say that nothing was answered yet; a configuration has a cluster at least."""
        return "Waiting for the engine to list the clusters."

    @on(LineTable.Opened)
    def do_open(self) -> None:
        """Show what is in the cluster."""
        if self.current is not None:
            self.console.go("cluster", self.current.name)

    def do_test(self) -> None:
        """Test the connection to the cluster under the cursor."""
        if self.current is not None:
            clusters = self.console.bridge.api.clusters
            self.app.push_screen(ConnectionDialog(clusters, self.current.name))

    def do_add(self) -> None:
        """Add a cluster."""
        self.console.go("cluster_form", "")

    def do_edit(self) -> None:
        """Edit the cluster under the cursor."""
        if self.current is not None:
            self.console.go("cluster_form", self.current.name)

    def do_remove(self) -> None:
        """Remove the cluster under the cursor, after its name was typed."""
        if self.current is not None:
            removing = remove(self.app, self.console.bridge, "clusters", self.current.name)
            self.run_worker(removing, group="commands")


def cluster_facts(row: ClusterListing, since: str, seen: str) -> list[Fact]:
    """Say how a cluster is connected to, and how it goes."""
    facts: list[Fact] = [
        *reason_facts(row.reason, REACH_TONES[row.reach], since),
        [("At    ", Tone.DIM), (", ".join(row.bootstrap_servers), Tone.PLAIN)],
        [("Login ", Tone.DIM), (_login(row), Tone.PLAIN), *_secrets(row)],
    ]
    facts.append([("Flows ", Tone.DIM), (_flows(row), Tone.PLAIN)])
    if row.cluster_id:
        facts.append(_itself(row, seen))
    return facts


def _secrets(row: ClusterListing) -> Fact:
    cells: list[Cell] = []
    for secret in row.secrets:
        state = "not read yet" if secret.state is SecretState.UNREAD else secret.state.value
        cells.append((f"  {secret.key} from {secret.reference}: ", Tone.PLAIN))
        cells.append((state, _SECRET_TONES[secret.state]))
    return cells


def _itself(row: ClusterListing, seen: str) -> Fact:
    controller = "" if row.controller is None else f", controller {row.controller}"
    times = f"  round trip {latency(row.latency)}, last {latency(row.latency_last)}"
    old = f"  answered {seen} ago" if seen else ""
    return [
        ("Is    ", Tone.DIM),
        (f"Kafka {kafka(row)}, {formats.plural(row.brokers, 'broker')}{controller},", Tone.PLAIN),
        (f" id {row.cluster_id}{times}{old}", Tone.PLAIN),
    ]


def _login(row: ClusterListing) -> str:
    if row.mechanism:
        return f"{row.user} by {row.mechanism}, {row.protocol}"
    return f"nobody in particular, {row.protocol}"


def _flows(row: ClusterListing) -> str:
    parts = []
    if row.source_of:
        parts.append(f"source of {', '.join(row.source_of)}")
    if row.target_of:
        parts.append(f"target of {', '.join(row.target_of)}")
    return "  ".join(parts) or "none uses it"
