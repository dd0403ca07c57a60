"""Which secrets an operator may be asked for, and what to call them."""

from __future__ import annotations

from dataclasses import dataclass

from ccr_tui.actions import ActionContext
from engine.api.snapshots import ClusterSnapshot, SecretSnapshot
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


def wanted_secrets(context: ActionContext) -> list[WantedSecret]:
    """Return the missing secrets of the clusters in sight, or else those that may be wrong.

    They are the cluster that is acted on, or the flow's.
    """
    flow, snapshot = context.flow, context.state.snapshot
    names = (flow.source, flow.target) if flow else (context.cluster,)
    found = [
        WantedSecret(cluster, secret)
        for cluster in (snapshot.clusters if snapshot else ())
        if cluster.name in names and not cluster.reachable
        for secret in cluster.secrets
    ]
    return [wanted for wanted in found if wanted.missing] or found
