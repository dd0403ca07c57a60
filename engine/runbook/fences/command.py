"""The fence that is an operator's own: one command raises it, one lifts it.

Both get CCR_FENCE (raise or lift), CCR_FLOW, CCR_SOURCE, CCR_SOURCE_SERVERS, CCR_TOPIC_COUNT and
CCR_TOPICS (topics separated by commas), and the topics on their standard input, one a line. Linux
takes no variable above 128 KiB: CCR_TOPICS is missing where it would be longer than 100 kB.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from engine.config.switch_section import FenceKind
from engine.kafka.cluster import Cluster
from engine.runbook.fences.protocol import (
    CommandChoice,
    CommandRecord,
    Done,
    Evidence,
    FenceRecord,
)
from engine.runbook.fences.shell import run_command
from engine.runbook.findings import Finding, warn

_MOST_IN_A_VARIABLE = 100_000


class CommandFence:
    """Runs the operator's commands on this host."""

    kind = FenceKind.COMMAND

    def __init__(
        self, source: Cluster, flow: str, topics: Iterable[str], choice: CommandChoice
    ) -> None:
        self._source = source
        self._flow = flow
        self._topics = tuple(sorted(topics))
        self._choice = choice

    async def examine(self) -> list[Finding]:
        """Say what cannot be known beforehand."""
        text = "What the fence's command does is not known: standing end offsets tell if it holds"
        return [warn(text, f"It runs on this host: {self._choice.raise_command}")]

    async def record(self) -> CommandRecord:
        """Keep the commands as they are now."""
        return CommandRecord(
            flow=self._flow,
            source=self._source.name,
            topics=self._topics,
            raise_command=self._choice.raise_command,
            lift_command=self._choice.lift_command,
            timeout_s=self._choice.timeout_s,
        )

    async def raise_up(self, record: FenceRecord) -> Done:
        """Run the command that raises it."""
        mine = _expected(record)
        output = await self._run(mine, "raise", mine.raise_command)
        return Done(f"Command ended well: {mine.raise_command}", output=output)

    async def lift(self, record: FenceRecord) -> Done:
        """Run the command that lifts it, whether or not the other one ended well."""
        mine = _expected(record)
        output = await self._run(mine, "lift", mine.lift_command)
        return Done(f"Command ended well: {mine.lift_command}", output=output)

    async def stands(self, record: FenceRecord, topics: Collection[str] = ()) -> Evidence:
        """Say that only end offsets tell."""
        return Evidence(
            None,
            "the operator's command is not asked; end offsets tell",
            outside=tuple(sorted(set(topics) - set(record.topics))),
        )

    async def _run(self, record: CommandRecord, what: str, command: str) -> str:
        environment = {
            "CCR_FENCE": what,
            "CCR_FLOW": record.flow,
            "CCR_SOURCE": record.source,
            "CCR_SOURCE_SERVERS": ",".join(self._source.config.bootstrap_servers),
            "CCR_TOPIC_COUNT": str(len(record.topics)),
        }
        topics = ",".join(record.topics)
        if len(topics) <= _MOST_IN_A_VARIABLE:
            environment["CCR_TOPICS"] = topics
        lines = "".join(f"{topic}\n" for topic in record.topics)
        operation = f"running the command that is to {what} the fence of flow {record.flow}"
        return await run_command(operation, command, environment, lines, record.timeout_s)


def _expected(record: FenceRecord) -> CommandRecord:
    if not isinstance(record, CommandRecord):
        raise TypeError(f"a record of fence {record.kind}")
    return record
