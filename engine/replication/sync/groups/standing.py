"""How a flow's groups stand on both sides: out of a look, translated."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from engine.errors import KafkaError
from engine.kafka import groups
from engine.kafka.fetch import TopicPartition
from engine.kafka.group_offsets_wire import Commit, Commits
from engine.kafka.group_wire import ListedGroup
from engine.replication.partition import MirrorPartition
from engine.replication.sync.groups.looking import Look
from engine.replication.sync.groups.translation import Translator

_WITHOUT_MEMBERS = frozenset({"", "Empty", "Dead"})  # of states that brokers list


@dataclass(slots=True)
class Standing:
    """One group on one partition."""

    partition: MirrorPartition
    source: Commit | None
    place: int | None  # what its commit comes to on the target; None: nothing is mirrored yet
    target: Commit | None  # committed there
    refused: KafkaError | None = None  # why it could not be committed

    @property
    def in_step(self) -> bool:
        """Whether the target's commit is the translated one."""
        return self.target is not None and self.target.offset == self.place


@dataclass(slots=True)
class GroupStanding:
    """One group."""

    name: str
    source: ListedGroup | None
    target: ListedGroup | None
    partitions: list[Standing] = field(default_factory=list)
    error: KafkaError | None = None  # why it is not known, or could not be committed
    active: bool = False  # on the target

    @property
    def is_share(self) -> bool:
        """Whether it is a share group on a side."""
        sides = self.source, self.target
        return any(side is not None and side.kind == groups.SHARE for side in sides)

    @property
    def followed(self) -> bool:
        """Whether its commits are to be carried to the target."""
        gone = self.source is None
        return not (gone or self.is_share or self.active or self.error is not None)

    def due(self, translator: Translator, *, rewind: bool) -> dict[TopicPartition, Commit]:
        """Return what is to be committed on the target, by its partitions there."""
        return {
            each.partition.target_key: Commit(each.place, each.source.metadata)
            for each in self.partitions
            if each.source is not None
            and each.place is not None
            and _is_due(each, each.source, each.place, translator, rewind=rewind)
        }


def _is_due(
    each: Standing, source: Commit, place: int, translator: Translator, *, rewind: bool
) -> bool:
    if each.target is None or each.target.offset < place:
        return True
    if each.target.offset == place:
        return each.target.metadata != source.metadata
    return rewind and translator.ahead(each.partition, source.offset, each.target.offset) > 0


async def standings(
    look: Look, partitions: Mapping[TopicPartition, MirrorPartition], translator: Translator
) -> list[GroupStanding]:
    """Return the groups that have committed for these partitions, and share groups, by name.

    Others run on between two groups.
    """
    by_mirror = {partition.target_key: partition for partition in partitions.values()}
    found = []
    names = {*look.source, *look.target, *look.source_commits, *look.target_commits}
    for name in sorted(names):
        group = GroupStanding(name, look.source.get(name), look.target.get(name))
        group.active = group.target is not None and group.target.state not in _WITHOUT_MEMBERS
        ours, no_ours = _known(look.source_commits.get(name))
        theirs, no_theirs = _known(look.target_commits.get(name))
        group.error = no_ours or no_theirs
        if group.source is not None:
            group.partitions = list(_of(partitions, ours, theirs, translator))
        elif group.error is None:
            group.partitions = list(_of_gone(by_mirror, theirs))
        if group.partitions or group.error or (group.source and group.is_share):
            found.append(group)
        await asyncio.sleep(0)
    return found


def _known(found: Commits | KafkaError | None) -> tuple[Commits, KafkaError | None]:
    return ({}, found) if isinstance(found, KafkaError) else (found or {}, None)


def _of(
    partitions: Mapping[TopicPartition, MirrorPartition],
    ours: Commits,
    theirs: Commits,
    translator: Translator,
) -> Iterator[Standing]:
    for key in sorted(ours.keys() & partitions.keys()):
        partition, commit = partitions[key], ours[key]
        place = translator.place(partition, commit.offset) if partition.positioned else None
        yield Standing(partition, commit, place, theirs.get(partition.target_key))


def _of_gone(
    by_mirror: Mapping[TopicPartition, MirrorPartition], theirs: Commits
) -> Iterator[Standing]:
    for key in sorted(theirs.keys() & by_mirror.keys()):
        yield Standing(by_mirror[key], None, None, theirs[key])
