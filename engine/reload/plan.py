"""What another configuration means for each cluster and flow of a running one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.api.config_snapshots import Effect, EffectKind, Subject
from engine.config.cluster_section import ClusterConfig
from engine.config.connect_section import ConnectConfig
from engine.config.fields import Model
from engine.config.flow_section import FlowConfig
from engine.config.model import Config

_CLUSTER_IN_PLACE = frozenset({"environment", "read_only"})
_FLOW_IN_PLACE = frozenset({"limits.bytes_per_second", "limits.topics"})


def plan(before: Config, after: Config, *, read_only_changes: bool = False) -> tuple[Effect, ...]:
    """Return the effect on every cluster, flow and Connect of the two, those of `after` first.

    `read_only_changes`: the engine as a whole becomes read-only, or ceases to be.
    """
    clusters = list(_of_clusters(before.clusters, after.clusters))
    anew = {each.name for each in clusters if each.kind is EffectKind.RESTART}
    flows = []
    for name, section in after.flows.items():
        if name not in before.flows:
            flows.append(Effect(Subject.FLOW, name, EffectKind.START, "it is new"))
            continue
        around = [f"cluster {each} changes" for each in _ends(section) if each in anew]
        if read_only_changes or _read_only_differs(before, after, section.target):
            around.append("read_only")
        flows.append(_of_flow(name, list(changed_keys(before.flows[name], section)), around))
    flows += [
        Effect(Subject.FLOW, name, EffectKind.STOP, "it is removed")
        for name in before.flows
        if name not in after.flows
    ]
    return (*clusters, *flows, *_of_connect(before.connect, after.connect))


def changed_keys(before: Model, after: Model, above: str = "") -> Iterator[str]:
    """Yield the keys in which two sections of a kind differ, with dots."""
    for name in type(before).model_fields:
        one, other = getattr(before, name), getattr(after, name)
        if isinstance(one, Model) and type(one) is type(other):
            yield from changed_keys(one, other, f"{above}{name}.")
        elif one != other or _order(one) != _order(other):
            yield f"{above}{name}"


def _order(value: Any) -> list[Any]:
    """Return the keys of a mapping as they stand: the first regex that matches counts."""
    return list(value) if isinstance(value, dict) else []


def _of_clusters(
    before: Mapping[str, ClusterConfig], after: Mapping[str, ClusterConfig]
) -> Iterator[Effect]:
    for name, section in after.items():
        if name not in before:
            yield Effect(Subject.CLUSTER, name, EffectKind.START, "it is new")
            continue
        keys = list(changed_keys(before[name], section))
        kind = EffectKind.RESTART if set(keys) - _CLUSTER_IN_PLACE else EffectKind.CHANGE
        kind = kind if keys else EffectKind.NOTHING
        yield Effect(Subject.CLUSTER, name, kind, ", ".join(keys))
    for name in before:
        if name not in after:
            yield Effect(Subject.CLUSTER, name, EffectKind.STOP, "it is removed")


def _of_connect(
    before: Mapping[str, ConnectConfig], after: Mapping[str, ConnectConfig]
) -> Iterator[Effect]:
    """Tell of Connect clusters; nothing of theirs runs here, so each is changed in place."""
    for name, section in after.items():
        if name not in before:
            yield Effect(Subject.CONNECT, name, EffectKind.START, "it is new")
            continue
        keys = list(changed_keys(before[name], section))
        kind = EffectKind.CHANGE if keys else EffectKind.NOTHING
        yield Effect(Subject.CONNECT, name, kind, ", ".join(keys))
    for name in before:
        if name not in after:
            yield Effect(Subject.CONNECT, name, EffectKind.STOP, "it is removed")


def _of_flow(name: str, keys: list[str], around: list[str]) -> Effect:
    """Tell what its changed keys, and what changes around it, mean for a flow that stays."""
    kind = EffectKind.NOTHING
    if around or set(keys) - _FLOW_IN_PLACE:
        kind = EffectKind.RESTART
    elif keys:
        kind = EffectKind.CHANGE
    return Effect(Subject.FLOW, name, kind, ", ".join(keys + around))


def _ends(section: FlowConfig) -> tuple[str, str]:
    return section.source, section.target


def _read_only_differs(before: Config, after: Config, cluster: str) -> bool:
    one, other = before.clusters.get(cluster), after.clusters.get(cluster)
    return one is not None and other is not None and one.read_only != other.read_only
