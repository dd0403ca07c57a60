"""Moving the clients: by the operator's own command, or by telling what they have to set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from engine.api.runbook_snapshots import RunFinding, RunKind, StepName
from engine.runbook.fences.shell import run_command
from engine.runbook.steps.base import Action, Telling


class CutOver(Action):
    """Runs the command, or tells the settings."""

    name: ClassVar = StepName.CUT_OVER

    @property
    def title(self) -> str:
        """What it does."""
        target = self.situation.config.target
        if self.situation.switch.cut_over:
            return f"Move clients to {target}: your command"
        return f"Tell what clients set to use {target}"

    @property
    def timeout_seconds(self) -> float:
        """How long it may take: the command is ended a little earlier."""
        return self.situation.switch.cut_over_timeout + 5.0

    async def examine(self) -> list[RunFinding]:
        """Say that nobody moves the clients."""
        if self.situation.switch.cut_over:
            return []
        return [
            self.warn(
                "ccr does not move clients: switch.cut_over is not set",
                "Move them when the run is done; it tells what they set",
            )
        ]

    async def act(self, telling: Telling) -> None:
        """Do it."""
        telling.found(*self._settings())
        command = self.situation.switch.cut_over
        if not command:
            return
        telling.waits_for("your command to end")
        printed = await run_command(
            f"running the command that moves the clients of flow {self.situation.flow_name}",
            command,
            self._environment(telling),
            "".join(f"{topic}\n" for topic in self.situation.mirrors()),
            self.situation.switch.cut_over_timeout,
        )
        telling.found(f"your command ended well: {command}")
        if printed.strip():
            telling.found(f"it printed: {printed.strip()[-1000:]}")

    def _environment(self, telling: Telling) -> dict[str, str]:
        situation = self.situation
        return {
            "CCR_RUN": telling.run_id,
            "CCR_RUNBOOK": situation.kind.value,
            "CCR_FLOW": situation.flow_name,
            "CCR_SOURCE": situation.config.source,
            "CCR_TARGET": situation.config.target,
            "CCR_TARGET_SERVERS": ",".join(situation.target.config.bootstrap_servers),
            "CCR_TOPIC_COUNT": str(len(situation.mirrors())),
        }

    def _settings(self) -> Iterator[str]:
        section = self.situation.target.config
        yield f"clients set bootstrap.servers={','.join(section.bootstrap_servers)}"
        yield f"and security.protocol={section.security_protocol.value}"
        if section.sasl is not None:
            yield f"and sasl.mechanism={section.sasl.mechanism.value}"
        renamed = sorted({(m.key[0], m.target[0]) for m in self.situation.mirrored().values()})
        if any(source != mirror for source, mirror in renamed):
            yield "topics have other names there: " + ", ".join(
                f"{source} is {mirror}" for source, mirror in renamed[:5]
            )
        if self.situation.kind is RunKind.FAILOVER:
            yield "move producers first, or keep them stopped: what they write now is the new truth"
