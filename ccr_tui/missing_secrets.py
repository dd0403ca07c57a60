"""Which secrets an operator may be asked for, and what to call them."""

from __future__ import annotations

from dataclasses import dataclass

from ccr_tui.state import ConsoleState
from engine.api.snapshots import ClusterSnapshot, FlowSnapshot, SecretSnapshot
from engine.config.secrets import SecretState


@dataclass(frozen=True, slots=True)
class WantedSecret:
    """A secret of a cluster that the engine does not reach."""

    cluster: ClusterSnapshot
    secret: SecretSnapshot

    @property
    def missing(self) -> bool:
        """Whether it cannot be had where the configuration says; otherwise it may be wrong."""
        return self.secret.state is SecretState.MISSING

    def __str__(self) -> str:
        return f"{self.secret.key} of {self.cluster.name}"


def wanted_secrets(state: ConsoleState, flow: FlowSnapshot | None) -> list[WantedSecret]:
    """Return the missing secrets of a flow's clusters, or else those that may be wrong."""
    if state.snapshot is None or flow is None:
        return []
    found = [
        WantedSecret(cluster, secret)
        for cluster in state.snapshot.clusters
        if cluster.name in (flow.source, flow.target) and not cluster.reachable
        for secret in cluster.secrets
    ]
    return [wanted for wanted in found if wanted.missing] or found
