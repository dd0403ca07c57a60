"""The tables of a cluster's parts."""

from __future__ import annotations

from typing import Any

from ccr_tui.filtering import Words
from ccr_tui.screens.cluster.columns import (
    broker_columns,
    group_columns,
    quota_columns,
    topic_columns,
)
from ccr_tui.symbols import Symbols
from ccr_tui.widgets.table.book import Order
from ccr_tui.widgets.table.filtered import FilteredTable
from ccr_tui.widgets.table.view import LineTable
from engine.api.cluster_snapshots import BrokerRow, GroupRow, QuotaRow, TopicRow


def tables(symbols: Symbols) -> tuple[FilteredTable[Any], ...]:
    """Make them: brokers, topics, groups, quotas."""
    brokers: LineTable[BrokerRow] = LineTable(
        broker_columns(symbols),
        key=lambda row: row.id,
        tie=lambda row: row.id,
        order=Order("state", descending=True),
        symbols=symbols,
        rests_on_top=True,
        id="brokers",
    )
    topics: LineTable[TopicRow] = LineTable(
        topic_columns(symbols),
        key=lambda row: row.name,
        tie=lambda row: row.name,
        order=Order("state", descending=True),
        symbols=symbols,
        rests_on_top=True,
        id="topics",
    )
    groups: LineTable[GroupRow] = LineTable(
        group_columns(),
        key=lambda row: row.name,
        tie=lambda row: row.name,
        order=Order("group", descending=False),
        symbols=symbols,
        rests_on_top=True,
        id="groups",
    )
    quotas: LineTable[QuotaRow] = LineTable(
        quota_columns(),
        key=lambda row: (row.user or "", row.client_id or "", row.key),
        tie=lambda row: (row.user is None, row.user or "", row.client_id or "", row.key),
        order=Order("key", descending=False),
        symbols=symbols,
        rests_on_top=True,
        id="quotas",
    )
    return (
        FilteredTable(brokers, Words(lambda row: f"{row.id} {row.address}", _broker), "broker"),
        FilteredTable(topics, Words(lambda row: row.name, _topic), "topic"),
        FilteredTable(groups, Words(lambda row: row.name, _group), "group"),
        FilteredTable(quotas, Words(lambda row: f"{row.user} {row.key}", lambda row: ()), "quota"),
    )


def _broker(row: BrokerRow) -> tuple[str, ...]:
    return ("away",) if row.problem else ("reached",)


def _topic(row: TopicRow) -> tuple[str, ...]:
    offline = ("offline",) if row.offline else ()
    under = ("under",) if row.under_replicated else ()
    return (*offline, *under, *(("internal",) if row.internal else ()))


def _group(row: GroupRow) -> tuple[str, ...]:
    return row.state.lower(), row.kind
