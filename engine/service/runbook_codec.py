"""What goes over the control socket about runbooks, as JSON (see engine.service.codec)."""

from __future__ import annotations

from pydantic import TypeAdapter

from engine.api.runbook_snapshots import Plan, RunKind, RunOptions, RunsPage
from engine.service.codec import Body

PLAN = TypeAdapter(Plan)
RUNS = TypeAdapter(RunsPage)
OPTIONS = TypeAdapter(RunOptions)


class PlanBody(Body):
    """What POST /v1/runbooks/FLOW/plan takes."""

    kind: RunKind
    options: RunOptions = RunOptions()


class StartBody(PlanBody):
    """What POST /v1/runbooks/FLOW/start takes; `digest` is the plan's."""

    digest: str
