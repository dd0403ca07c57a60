"""`ccr loss`: what would be lost if the source vanished now, and what would be read again."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ccr_tui.cli.tables import WIDTH, Row, indented, table
from engine.api.loss_snapshots import GroupLoss, LossSnapshot, PartitionLoss, TopicLoss
from engine.errors import ConfigError, ExitCode
from engine.service import loss_wording, wording

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers
    from engine.api.protocol import EngineApi

_SHOWN = 10  # topics and groups; --json has more


def add_parser(subparsers: Subparsers) -> None:
    """Add `loss`."""
    parser = subparsers.add_parser(
        "loss",
        help="what would be lost if the source vanished now",
        description="Show how many records, bytes (an estimate) and seconds of each flow would be "
        "lost if its source vanished now, the worst topics first, and what consumer groups would "
        "read again if their clients moved. Asks the engine that runs this configuration on this "
        "host, or else the clusters themselves; changes nothing. "
        "Exit code: 3 nothing is known of a source, else 0.",
    )
    parser.add_argument("flow", nargs="?", metavar="FLOW", help="one flow (default: all)")
    parser.add_argument(
        "--topic", metavar="TOPIC", help="also each partition of this source topic (with FLOW)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object (docs/cli.md)")
    parser.set_defaults(func=run_loss)


async def run_loss(args: argparse.Namespace) -> int:
    """Ask and print; returns the exit code."""
    from ccr_tui.cli.reading import ask  # noqa: PLC0415  (slow imports)

    if args.topic is not None and args.flow is None:
        raise ConfigError("reading the option", "--topic", "it needs a FLOW", "ccr loss FLOW …")
    losses = await ask(args.config, args.flow, lambda api: _losses(api, args.flow, args.topic))
    if args.json:
        print(json.dumps(loss_json(losses), indent=2, ensure_ascii=False))
    else:
        print("\n".join(loss_lines(losses)))
    known = all(loss.looked_at or not loss.source_trouble for loss in losses)
    return ExitCode.OK if known else ExitCode.CANNOT_CONNECT


async def _losses(api: EngineApi, flow: str | None, topic: str | None) -> list[LossSnapshot]:
    if flow is not None:
        return [await api.flows.loss(flow, topic)]
    return [await api.flows.loss(each.name) for each in (await api.snapshot()).flows]


def loss_json(losses: Sequence[LossSnapshot]) -> dict[str, Any]:
    """Return the answers as JSON has them."""
    from engine.service.codec import LOSS  # noqa: PLC0415  (slow imports)

    return {"flows": [LOSS.dump_python(loss, mode="json") for loss in losses]}


# text


def loss_lines(losses: Sequence[LossSnapshot]) -> Iterator[str]:
    """Word it in lines of 80 columns, flow by flow."""
    if not losses:
        yield "The configuration has no flows."
    for number, loss in enumerate(losses):
        if number:
            yield ""
        if len(losses) > 1:
            yield f"{loss.flow}"
        yield from textwrap.wrap(
            loss_wording.sentence(loss), WIDTH, break_long_words=False, break_on_hyphens=False
        )
        for note in loss_wording.notes(loss):
            yield from indented(note)
        yield from _tables(loss)


def _tables(loss: LossSnapshot) -> Iterator[str]:
    if loss.topics:
        yield ""
        titles = ("topic", "lost", "bytes", "oldest", "part", "halted")
        yield from table(titles, [_topic_row(each) for each in loss.topics[:_SHOWN]])
        yield from _more(loss.topics_losing, "topic")
    if loss.listed:
        yield ""
        titles = ("partition", "State", "source end", "mirrored to", "lost", "oldest")
        yield from table(titles, [_partition_row(each) for each in loss.listed])
    groups = [each for each in loss.groups if each.again_records != 0]
    if groups:
        yield ""
        yield from table(("group", "again", "lost"), [_group_row(each) for each in groups[:_SHOWN]])
        yield from _more(len(groups), "group")


def _more(number: int, noun: str) -> Iterator[str]:
    if number > _SHOWN:
        rest = number - _SHOWN
        yield f"… and {wording.count(rest)} more {noun}{'s' * (rest != 1)} (--json)"


def _topic_row(each: TopicLoss) -> Row:
    return Row(
        (
            each.topic,
            wording.count(each.lost_records),
            wording.size(each.lost_bytes),
            wording.duration(each.lost_seconds),
            str(each.partitions),
            str(each.partitions_halted),
        )
    )


def _partition_row(each: PartitionLoss) -> Row:
    return Row(
        (
            str(each.partition),
            each.state.value,
            _offset(each.source_end),
            _offset(each.mirrored_to),
            wording.count(each.lost_records),
            wording.duration(each.lost_seconds),
        )
    )


def _group_row(each: GroupLoss) -> Row:
    return Row((each.group, wording.count(each.again_records), wording.count(each.lost_records)))


def _offset(offset: int | None) -> str:
    return wording.UNKNOWN if offset is None else str(offset)
