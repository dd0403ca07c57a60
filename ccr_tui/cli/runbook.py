"""`ccr promote`, `failover`, `failback` and `runbook`: begin a run, follow it, steer it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING

from ccr_tui.cli.confirming import require_confirmation
from engine.config.switch_section import FenceKind, VerifyExtent
from engine.errors import CcrError, ExitCode, RefusedError

if TYPE_CHECKING:
    from ccr_tui.cli.registry import Subparsers
    from engine.api.protocol import EngineApi
    from engine.api.runbook_snapshots import Plan, Run, RunOptions

LOOK_S = 0.2
_EXIT = "Exit code: 0 done, 1 refused, undone or stopped, 130 interrupted."


def add_parser(subparsers: Subparsers) -> None:
    """Add the verbs."""
    promote = _starting(
        subparsers,
        "promote",
        "make the target the primary, planned: nothing is lost",
        "Fence producers on the source, wait until nothing is written any more, drain, compare by "
        "content, translate groups, promote the mirrors, move clients, mirror the other way. Any "
        "failure before the promotion undoes everything; so does ctrl+c.",
    )
    promote.add_argument(
        "--fence", choices=[each.value for each in FenceKind], help="how producers are kept out"
    )
    promote.add_argument(
        "--verify", choices=[each.value for each in VerifyExtent], help="how much is compared"
    )
    promote.add_argument(
        "--no-reverse", action="store_true", help="do not mirror the other way afterwards"
    )
    _starting(
        subparsers,
        "failover",
        "make the target the primary now; what is lost is shown first",
        "For a source that is gone, or is to be given up: stop mirroring, promote what has "
        "arrived, move clients. No step waits for the source longer than it says. The promotion "
        "is recorded on the target: every engine refuses this direction from then on.",
    )
    rehearse = _starting(
        subparsers,
        "rehearse",
        "a planned switch of throw-away topics on the real clusters",
        "Make topics and a group for it on the source, mirror them, carry out every step of a "
        "planned switch with them but your cut-over command, and delete them again. Tells how "
        "long each step took. Asks for no name: nothing of yours is touched.",
    )
    rehearse.set_defaults(kind="rehearsal")
    rehearse.add_argument(
        "--fence", choices=[each.value for each in FenceKind], help="how producers are kept out"
    )
    failback = _starting(
        subparsers,
        "failback",
        "the old source is back: settle what never arrived, copy the delta back",
        "After a failover, when the old source has returned: find the records that never arrived, "
        "export them, re-inject them or keep them aside, and mirror the other way from where the "
        "two diverged, so that only the delta is copied. Then ccr promote of that flow leads home.",
    )
    failback.add_argument(
        "--mode",
        choices=["reinject", "keep-aside", "discard"],
        default="keep-aside",
        help="what becomes of records that never arrived: appended on the new primary, exported "
        "only (default), or nothing; discard asks for 'discard FLOW' to be typed",
    )
    follow = subparsers.add_parser(
        "runbook",
        help="follow a flow's run, or steer it",
        description="Follow the run of a flow that is under way, or show its last one; ctrl+c "
        f"ends the following, not the run. {_EXIT}",
    )
    follow.add_argument("flow", metavar="FLOW")
    steering = follow.add_mutually_exclusive_group()
    steering.add_argument(
        "--abort", action="store_true", help="undo it; refused behind the promotion"
    )
    steering.add_argument(
        "--go-on", action="store_true", help="try the step again at which it stopped"
    )
    steering.add_argument(
        "--confirm-step", action="store_true", help="say that what it asks you to do is done"
    )
    follow.add_argument("--json", action="store_true", help="print a JSON object a line")
    follow.set_defaults(func=run_runbook)


def _starting(
    subparsers: Subparsers, name: str, help_: str, description: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name, help=help_, description=f"{description} {_EXIT}"
    )
    parser.add_argument("flow", metavar="FLOW")
    parser.add_argument(
        "--dry-run", action="store_true", help="show the plan and what could stop it, do nothing"
    )
    parser.add_argument("--confirm", metavar="FLOW", help="the flow's name again")
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")
    parser.set_defaults(func=run_start, kind=name)
    return parser


async def run_start(args: argparse.Namespace) -> int:
    """Show the plan, and carry it out once the flow's name was given twice."""
    from engine.api.runbook_snapshots import RunKind, RunOptions  # noqa: PLC0415  (slow imports)
    from engine.service.attach import attach_or_spawn  # noqa: PLC0415

    kind = RunKind(args.kind)
    options = RunOptions()
    if kind is RunKind.PROMOTE:
        options = RunOptions(args.fence, False if args.no_reverse else None, args.verify)
    elif kind is RunKind.REHEARSAL:
        options = RunOptions(args.fence)
    elif kind is RunKind.FAILBACK:
        options = RunOptions(mode=args.mode)
    async with attach_or_spawn(args.config, read_only=args.read_only) as attached:
        api = attached.api
        await _ready(api, args.flow)
        plan = await api.runbooks.plan(args.flow, kind, options)
        _show(plan, as_json=args.json, aside=not args.dry_run)
        if args.dry_run:
            return ExitCode.FAILED if plan.refused else ExitCode.OK
        return await _carry_out(api, args, plan, options)


async def _ready(api: EngineApi, flow: str) -> None:
    """Wait until the engine has looked at the flow: one that was just started knows nothing."""
    for _ in range(100):
        snapshot = await api.snapshot()
        found = next((each for each in snapshot.flows if each.name == flow), None)
        if found is None:
            known = ", ".join(each.name for each in snapshot.flows) or "none"
            raise RefusedError("finding flow", flow, f"it is none of this config's ({known})")
        if found.state != "starting" and (found.observed_at or found.reason):
            return
        await asyncio.sleep(LOOK_S)


async def _carry_out(
    api: EngineApi, args: argparse.Namespace, plan: Plan, options: RunOptions
) -> int:
    stopping = [finding for finding in plan.findings if finding.stops]
    if stopping:
        first = stopping[0]
        raise RefusedError(f"starting {plan.kind} of flow", plan.flow, first.text, first.next_step)
    discards = options.mode == "discard"
    if plan.kind == "rehearsal":
        args.confirm = plan.flow
    await asyncio.to_thread(
        require_confirmation,
        args.confirm,
        f"discard {plan.flow}" if discards else plan.flow,
        f"starting {plan.kind} of flow",
        _warning(plan, discards=discards),
    )
    run = (await api.runbooks.start(plan.flow, plan.kind, options, plan.digest)).text
    try:
        return await _follow(api, plan.flow, run, as_json=args.json)
    except asyncio.CancelledError:
        await _interrupted(api, plan.flow, run, as_json=args.json)
        raise


def _warning(plan: Plan, *, discards: bool) -> str:
    if discards:
        return f"What never arrived on {plan.target} is given up for good."
    if plan.kind == "failback":
        return f"{plan.source} is written to again."
    return f"{plan.target} becomes the primary."


async def _interrupted(api: EngineApi, flow: str, run: str, *, as_json: bool) -> None:
    """Undo the run, as the operator has pressed ctrl+c; a second one leaves that to the engine."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    try:
        await api.runbooks.abort(flow)
    except CcrError as error:
        print(f"ccr: {error}", file=sys.stderr)
        return
    print("ccr: interrupted: everything is undone first", file=sys.stderr)
    await _follow(api, flow, run, as_json=as_json)


async def run_runbook(args: argparse.Namespace) -> int:
    """Steer, and follow."""
    from engine.service.attach import attach_or_spawn  # noqa: PLC0415  (slow imports)

    async with attach_or_spawn(args.config, read_only=args.read_only) as attached:
        api = attached.api
        await _ready(api, args.flow)
        if args.abort:
            await api.runbooks.abort(args.flow)
        elif args.go_on:
            await api.runbooks.go_on(args.flow)
        elif args.confirm_step:
            await api.runbooks.confirm(args.flow)
        runs = (await api.runbooks.runs(args.flow)).runs
        if not runs:
            raise RefusedError(
                "following the run of flow", args.flow, "it never had one",
                f"ccr promote {args.flow} --dry-run shows what one would do",
            )  # fmt: skip
        return await _follow(api, args.flow, runs[0].id, as_json=args.json)


async def _follow(api: EngineApi, flow: str, run_id: str, *, as_json: bool) -> int:
    """Print each change until the run has ended, or waits for an operator."""
    from ccr_tui.cli.run_lines import Follower  # noqa: PLC0415  (slow imports)
    from engine.api.runbook_snapshots import RunState  # noqa: PLC0415

    follower = Follower(as_json=as_json)
    while True:
        run = await _run_of(api, flow, run_id)
        for line in follower.lines(run):
            print(line, flush=True)
        if run.state.ended or run.state is RunState.FAILED:
            print(follower.end(run), flush=True)
            return ExitCode.OK if run.state is RunState.DONE else ExitCode.FAILED
        await asyncio.sleep(LOOK_S)


async def _run_of(api: EngineApi, flow: str, run_id: str) -> Run:
    for run in (await api.runbooks.runs(flow)).runs:
        if run.id == run_id:
            return run
    raise RefusedError("following run", run_id, f"flow {flow} does not know it")


def _show(plan: Plan, *, as_json: bool, aside: bool) -> None:
    """Print the plan; `aside`: on standard error, where what follows is the output."""
    from ccr_tui.cli.run_lines import plan_lines  # noqa: PLC0415  (slow imports)
    from engine.service.runbook_codec import PLAN  # noqa: PLC0415

    if as_json:
        if not aside:
            print(json.dumps(PLAN.dump_python(plan, mode="json"), ensure_ascii=False))
        return
    print("\n".join(plan_lines(plan)), file=sys.stderr if aside else sys.stdout, flush=True)
