"""Which configs a mirror is to have, and what of that differs from what it has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from engine.api.preview_snapshots import ConfigChange, KeptConfig, ValueFrom
from engine.config.matching import Pattern
from engine.config.sync_sections import ConfigsConfig
from engine.kafka.topic_configs import TopicConfig

# Set for one cluster's brokers or machines; meaningless or harmful on another unless pinned.
NEVER_COPIED = frozenset(
    {
        "follower.replication.throttled.replicas",
        "leader.replication.throttled.replicas",
        "message.timestamp.difference.max.ms",
        "message.timestamp.before.max.ms",
        "message.timestamp.after.max.ms",
        "unclean.leader.election.enable",
        "remote.storage.enable",
    }
)
_IN_SYNC = "min.insync.replicas"
MAX_MESSAGE_BYTES = "max.message.bytes"
FENCE_BYTES = 78
"""max.message.bytes of a topic that is fenced for a switch (engine.runbook.fences): no setting of
its own, so it is neither carried to a mirror nor taken off one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The configs that a mirror is to have set on itself."""

    values: Mapping[str, tuple[str, ValueFrom]]
    unknown: tuple[str, ...] = ()  # set on the source; the target's brokers do not know them
    fenced: bool = False


@dataclass(slots=True)
class Differences:
    """What is to be changed on a mirror, what is left alone, and what both agree on afterwards."""

    changes: list[ConfigChange] = field(default_factory=list)
    kept: list[KeptConfig] = field(default_factory=list)
    agreed: dict[str, str] = field(default_factory=dict)


class ConfigRules:
    """A flow's include, exclude and pinned configs. Everything here may raise TooSlowError."""

    def __init__(self, config: ConfigsConfig) -> None:
        self._include = [Pattern(pattern) for pattern in config.include]
        self._exclude = [Pattern(pattern) for pattern in config.exclude]
        self._pinned = [(Pattern(topics), values) for topics, values in config.pinned.items()]
        self._overwrite = config.overwrite
        self._copied: dict[str, bool] = {}

    def copied(self, name: str) -> bool:
        """Whether a config is kept in step with the source's."""
        if name not in self._copied:
            self._copied[name] = (
                name not in NEVER_COPIED
                and not any(pattern.matches(name) for pattern in self._exclude)
                and any(pattern.matches(name) for pattern in self._include)
            )
        return self._copied[name]

    def wanted(
        self, mirror: str, source: TopicConfig, replicas: int, known: Collection[str]
    ) -> Wanted:
        """Return what a mirror with so many replicas is to have.

        `known` are the configs that the target's brokers know; empty when nobody could tell.
        """
        values: dict[str, tuple[str, ValueFrom]] = {}
        unknown = []
        fenced = source.own_values.get(MAX_MESSAGE_BYTES) == str(FENCE_BYTES)
        for name, value in sorted(source.own_values.items()):
            if not self.copied(name) or (fenced and name == MAX_MESSAGE_BYTES):
                continue
            if known and name not in known:
                unknown.append(name)
                continue
            values[name] = value, ValueFrom.SOURCE
            if name == _IN_SYNC and int(value) > replicas:
                values[name] = str(replicas), ValueFrom.CAPPED
        values |= self._pinned_values(mirror)
        return Wanted(values, tuple(unknown), fenced)

    def _pinned_values(self, mirror: str) -> dict[str, tuple[str, ValueFrom]]:
        values: dict[str, tuple[str, ValueFrom]] = {}
        for pattern, pinned in self._pinned:
            if pattern.matches(mirror):
                # The first that names a config counts.
                values = {
                    name: (value, ValueFrom.PINNED) for name, value in pinned.items()
                } | values
        return values

    def differences(
        self, wanted: Wanted, own: Mapping[str, str], agreed: Mapping[str, str]
    ) -> Differences:
        """Compare three: the source, the mirror, and what both had when they last agreed.

        What was changed on the source since is changed on the mirror. What was changed on the
        mirror itself is an operator's doing, and left alone.
        """
        out = Differences()
        for name in sorted(wanted.values.keys() | own.keys()):
            want, origin = wanted.values.get(name, (None, ValueFrom.SOURCE))
            have = own.get(name)
            if name in wanted.unknown or not (origin == ValueFrom.PINNED or self.copied(name)):
                continue
            if name == MAX_MESSAGE_BYTES and (wanted.fenced or have == str(FENCE_BYTES)):
                out.agreed |= {name: agreed[name]} if name in agreed else {}
                continue
            theirs = have != agreed.get(name) and not self._overwrite
            if have != want and theirs and origin != ValueFrom.PINNED:
                out.kept.append(KeptConfig(name, have, want))
                if name in agreed:
                    out.agreed[name] = agreed[name]
                continue
            if have != want:
                out.changes.append(ConfigChange(name, have, want, origin))
            if want is not None:
                out.agreed[name] = want
        return out
