"""The journal of a run: in the flow's state topic on the target, and in a file on this host.

The state topic decides: its appends are a compare-and-swap, so only the engine that owns the flow
can carry a run on. The file is for reading when the target cannot be.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from engine.api.runbook_snapshots import Run
from engine.replication.flow import Flow
from engine.replication.state_records import FlowRecord, run_entry

log = logging.getLogger(__name__)

RUN = TypeAdapter(Run)
KEPT_RUNS = 20  # ended ones, of a flow; older ones are forgotten
LOSS_TOPICS = 100  # the worst, of the loss that was shown


def runs_of(record: FlowRecord) -> list[Run]:
    """Return the runs that a state topic holds, oldest first; a newer ccr's are left out."""
    found = []
    for name, value in record.runbooks.items():
        try:
            found.append(RUN.validate_python(value))
        except ValidationError:
            log.warning("run %s was written by another version of ccr: left out", name)
    return sorted(found, key=lambda run: run.began)


class Journal:
    """Writes runs of any flow; `folder` is where the files are, if there are to be any."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    async def write(self, flow: Flow, run: Run) -> None:
        """Write a run as it is now.

        Raises SupersededError when another engine owns the flow, KafkaError and ConnectError. The
        file is not needed: that it cannot be written is told in the log.
        """
        if run.loss is not None and len(run.loss.topics) > LOSS_TOPICS:
            run = replace(run, loss=replace(run.loss, topics=run.loss.topics[:LOSS_TOPICS]))
        value = RUN.dump_python(run, mode="json")
        old = [each.id for each in runs_of(flow.record) if each.state.ended and each.id != run.id]
        forgotten = [run_entry(each, None) for each in old[:-KEPT_RUNS]]
        await flow.remember([run_entry(run.id, value), *forgotten])
        if self._folder is None:
            return
        try:
            await asyncio.to_thread(_write_file, self._folder, run)
        except OSError as error:
            log.warning("the journal of run %s has no file: %s", run.id, error)


def _write_file(folder: Path, run: Run) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{run.id}.json"
    beside = path.with_suffix(".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(RUN.dump_json(run, indent=2))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
