"""What a flow's configuration says of ACLs: principals by regex, groups, and who ccr itself is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.config import matching
from engine.config.cluster_section import ClusterConfig, SaslMechanism, SecurityProtocol
from engine.config.flow_section import FlowConfig
from engine.config.sync_sections import GroupsConfig
from engine.kafka.acl_bindings import EVERYONE, Pattern, PatternType

_ESCAPED = re.compile(r"\\([^A-Za-z0-9])")
_MEANS_SOMETHING = set(".^$*+?{}[]|()\\")


class Principals:
    """Source principals to the target's: the first regex that matches the whole principal wins."""

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self._mapping = [(matching.Pattern(regex), made) for regex, made in mapping.items()]
        self._known = {EVERYONE: EVERYONE}

    def mapped(self, principal: str) -> str:
        """Return the target's principal; everybody (User:*) is everybody on both sides.

        Raises TooSlowError.
        """
        if principal not in self._known:
            made = (regex.replaced(principal, template) for regex, template in self._mapping)
            self._known[principal] = next((each for each in made if each is not None), principal)
        return self._known[principal]


class Groups:
    """The groups that a flow selects."""

    def __init__(self, config: GroupsConfig) -> None:
        self._include = [matching.Pattern(regex) for regex in config.include]
        self._exclude = [matching.Pattern(regex) for regex in config.exclude]
        prefixes = [] if config.exclude else [_prefix(regex) for regex in config.include]
        self._prefixes = [prefix for prefix in prefixes if prefix is not None]

    def selects(self, name: str) -> bool:
        """Whether the flow takes a group of that name; raises TooSlowError."""
        if any(regex.matches(name) for regex in self._exclude):
            return False
        return any(regex.matches(name) for regex in self._include)

    def selected(self, pattern: Pattern, names: Iterable[str]) -> list[Pattern]:
        """Narrow a pattern to the selected groups.

        Prefixes stay prefixes where every group is selected that begins so; for the rest, `names`
        are the groups that there are.
        """
        if pattern.is_literal:
            return [pattern] if self.selects(pattern.name) else []
        if any(pattern.prefix.startswith(prefix) for prefix in self._prefixes):
            return [pattern]
        found = [
            Pattern(pattern.resource, prefix, PatternType.PREFIXED)
            for prefix in self._prefixes
            if prefix.startswith(pattern.prefix)
        ]
        return found + [
            Pattern(pattern.resource, name)
            for name in names
            if pattern.matches(name)
            and self.selects(name)
            and not any(each.matches(name) for each in found)
        ]


def _prefix(regex: str) -> str | None:
    """Return what all names begin with that a regex of the form `prefix.*` matches."""
    if not regex.endswith(".*"):
        return None
    plain = regex.removesuffix(".*")
    if set(_ESCAPED.sub("", plain)) & _MEANS_SOMETHING:
        return None
    return _ESCAPED.sub(r"\1", plain)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a plan goes by."""

    principals: Principals
    groups: Groups
    own_principal: str | None
    """Who the target takes ccr for; None: it cannot be told, and the operator did not say."""
    target: str
    """The target cluster's name."""

    @classmethod
    def of(cls, flow: FlowConfig, target: ClusterConfig) -> Rules:
        """Read them from the configuration."""
        own = flow.acls.own_principal or own_principal(target)
        return cls(Principals(flow.acls.principals), Groups(flow.groups), own, flow.target)


def own_principal(cluster: ClusterConfig) -> str | None:
    """Return who a cluster takes ccr for, where the login tells it for certain.

    It does not for a client certificate (`ssl.principal.mapping.rules`) and for OAUTHBEARER (the
    broker chooses the claim).
    """
    if cluster.sasl is not None:
        if cluster.sasl.mechanism == SaslMechanism.OAUTHBEARER:
            return None
        return f"User:{cluster.sasl.username}"
    shows_certificate = cluster.tls.certificate is not None or cluster.tls.keystore is not None
    if cluster.security_protocol == SecurityProtocol.SSL and shows_certificate:
        return None
    return "User:ANONYMOUS"
