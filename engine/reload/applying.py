"""Another configuration on a running engine: what did not change goes on as if nothing happened.

Flows that end, for good or to start again, are drained first; they checkpoint where they got to, so
that nothing is lost or doubled, whether the drain gets done in time or not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from engine.api.config_snapshots import Effect, EffectKind, Subject
from engine.config.cluster_section import ClusterConfig
from engine.config.model import Config
from engine.config.sections import secrets_of
from engine.engine import Engine
from engine.errors import RefusedError
from engine.replication.flow import Flow

DRAIN_S = 15.0


async def apply(engine: Engine, after: Config, effects: Iterable[Effect]) -> tuple[str, ...]:
    """Apply a configuration as planned; return what did not go as it should.

    Raises RefusedError when the engine ends meanwhile: then nothing new was begun.
    """
    of = {(each.subject, each.name): each.kind for each in effects}
    restarting = _named(of, Subject.FLOW, EffectKind.RESTART)
    ended = [engine.flows[name] for name in _named(of, Subject.FLOW, EffectKind.STOP)]
    ended += [engine.flows[name] for name in restarting]
    notes = await _end(ended, set(restarting))
    if engine.is_stopping:
        raise RefusedError("applying", "the configuration", "the engine is ending")
    anew = _named(of, Subject.CLUSTER, EffectKind.RESTART)
    closing = [
        engine.forget_cluster(name) for name in anew + _named(of, Subject.CLUSTER, EffectKind.STOP)
    ]
    before = engine.config
    engine.config = _with_kept_clusters(before, after, of)
    _open(engine, of, {flow.name: flow for flow in ended})
    for flow in ended:
        if flow.name not in engine.config.flows:
            engine.flows.pop(flow.name, None)
    for name in _named(of, Subject.FLOW, EffectKind.CHANGE):
        engine.flows[name].reconfigure(engine.config.flows[name])
    engine.put_in_order()
    await asyncio.gather(*(close() for close in closing))
    return notes


def _named(
    of: dict[tuple[Subject, str], EffectKind], subject: Subject, kind: EffectKind
) -> list[str]:
    return [name for (what, name), each in of.items() if (what, each) == (subject, kind)]


async def _end(flows: list[Flow], going_on: set[str]) -> tuple[str, ...]:
    """Drain flows and end them, all at once; those that go on stay this engine's."""
    began = time.monotonic()
    drained = await asyncio.gather(
        *(flow.stop(DRAIN_S, release=flow.name not in going_on) for flow in flows)
    )
    took = time.monotonic() - began
    return tuple(
        f"flow {flow.name} was not drained within {took:.0f} s; it goes on from its last checkpoint"
        for flow, done in zip(flows, drained, strict=True)
        if not done
    )


def _with_kept_clusters(
    before: Config, after: Config, of: dict[tuple[Subject, str], EffectKind]
) -> Config:
    """Return the new configuration with the old sections of clusters that stay connected.

    They hold the secrets that an operator gave; those of clusters that change take them over.
    """
    given = [secret for _, secret in secrets_of(before)]
    clusters: dict[str, ClusterConfig] = {}
    for name, section in after.clusters.items():
        kind = of[Subject.CLUSTER, name]
        clusters[name] = section
        if kind is EffectKind.NOTHING:
            clusters[name] = before.clusters[name]
        elif kind is EffectKind.CHANGE:
            changes = {"environment": section.environment, "read_only": section.read_only}
            clusters[name] = before.clusters[name].model_copy(update=changes)
        for _, secret in secrets_of(clusters[name]):
            for known in given:
                secret.take_from(known)
    for _, secret in secrets_of(after.connect):
        for known in given:
            secret.take_from(known)
    return after.model_copy(update={"clusters": clusters})


def _open(
    engine: Engine, of: dict[tuple[Subject, str], EffectKind], ended: dict[str, Flow]
) -> None:
    """Begin with what is new, or begins anew."""
    for name, section in engine.config.clusters.items():
        if name not in engine.clusters:
            engine.open_cluster(name, section)
        engine.clusters[name].config = section
    for name, flow in engine.config.flows.items():
        kind = of[Subject.FLOW, name]
        if kind in (EffectKind.START, EffectKind.RESTART):
            engine.open_flow(name, flow, ended.get(name))
