"""What the service tells its log without being asked: now and then, where every flow stands."""

from __future__ import annotations

import asyncio
import logging

from engine.api.protocol import EngineApi
from engine.api.snapshots import FlowSnapshot, Reason
from engine.service import wording
from engine.service.logs import fields

LOG = logging.getLogger(__name__)
PROGRESS_EVERY_S = 10.0


async def tell_progress(api: EngineApi) -> None:
    """Tell every PROGRESS_EVERY_S, one line a flow, until cancelled."""
    while True:
        await asyncio.sleep(PROGRESS_EVERY_S)
        for flow in (await api.snapshot()).flows:
            LOG.info("%s", progress_line(flow), extra=fields("progress", **progress_fields(flow)))


def progress_line(flow: FlowSnapshot) -> str:
    """Word a flow's progress for people."""
    parts = [
        f"{flow.name}: {flow.state}",
        f"{wording.count(flow.records_per_second)} records/s",
        f"{wording.size(flow.bytes_per_second)}/s",
        wording.lag(flow.lag_records, flow.lag_seconds),
    ]
    if flow.partitions_stopped or flow.partitions_waiting:
        parts.append(
            f"of {flow.partitions} partitions {flow.partitions_stopped} stopped, "
            f"{flow.partitions_waiting} waiting"
        )
    if flow.reason is not None:
        parts.append(why(flow.reason))
    return ", ".join(parts)


def why(reason: Reason) -> str:
    """Word a reason with its next step."""
    if not reason.next_step:
        return reason.text
    return f"{reason.text.rstrip('.')}. {reason.next_step}"


def progress_fields(flow: FlowSnapshot) -> dict[str, object]:
    """Pick the fields of a progress line's JSON, as docs/cli.md lists them."""
    return {
        "flow": flow.name,
        "state": flow.state.value,
        "reason": flow.reason.text if flow.reason else None,
        "owned_here": flow.owned_here,
        "records_per_second": flow.records_per_second,
        "bytes_per_second": flow.bytes_per_second,
        "lag_records": flow.lag_records,
        "lag_seconds": flow.lag_seconds,
        "records_total": flow.records_total,
        "bytes_total": flow.bytes_total,
        "partitions": flow.partitions,
        "partitions_stopped": flow.partitions_stopped,
        "partitions_waiting": flow.partitions_waiting,
    }
