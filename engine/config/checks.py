"""What the sections of a file must be to each other; the model looks at each by itself.

The checks read the file's plain data, so that they also speak when a section has other problems.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from engine.config.cluster_section import (
    SaslMechanism,
    SecurityProtocol,
    login_mismatch,
    trust_mismatch,
)
from engine.config.flow_section import FlowConfig, Origin, Rename
from engine.config.model import Config
from engine.config.nearest import did_you_mean, listed
from engine.config.problems import KeyPath
from engine.config.sections import secrets_of


def clusters_of_flows(data: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Yield a sentence for each flow whose source or target is no cluster of the file, or one."""
    clusters, flows = data.get("clusters"), data.get("flows")
    if not isinstance(clusters, dict) or not clusters or not isinstance(flows, dict):
        return
    for name, flow in flows.items():
        if not isinstance(flow, dict):
            continue
        ends = {key: flow.get(key) for key in ("source", "target")}
        for key, cluster in ends.items():
            if isinstance(cluster, str) and cluster not in clusters:
                yield ("flows", name, key), _undefined(cluster, clusters)
        if ends["source"] == ends["target"] and ends["source"] in clusters:
            yield ("flows", name, "target"), "is the source itself; a flow needs two clusters"


def protocols_of_clusters(data: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Yield a sentence for each sasl or tls section that its security_protocol contradicts."""
    clusters = data.get("clusters")
    for name, cluster in clusters.items() if isinstance(clusters, dict) else ():
        if not isinstance(cluster, dict):
            continue
        protocol = cluster.get("security_protocol", SecurityProtocol.PLAINTEXT)
        if protocol not in list(SecurityProtocol):
            continue
        login = login_mismatch(protocol, given=cluster.get("sasl") is not None)
        if login:
            yield ("clusters", name, "sasl"), login
        trust = trust_mismatch(protocol, given=bool(cluster.get("tls")))
        if trust:
            yield ("clusters", name, "tls"), trust


def writes_to_read_only(data: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Yield a sentence for each of MirrorMaker 2's topics on a source that is read_only."""
    clusters, flows = data.get("clusters"), data.get("flows")
    if not isinstance(clusters, dict) or not isinstance(flows, dict):
        return
    for name, flow in flows.items():
        mm2, source = (flow.get("mm2"), flow.get("source")) if isinstance(flow, dict) else (0, 0)
        if not isinstance(mm2, dict) or not isinstance(source, str):
            continue
        cluster = clusters.get(source)
        if not isinstance(cluster, dict) or cluster.get("read_only") is not True:
            continue
        for key, value in (("heartbeats", "both"), ("offset_syncs", "source")):
            if mm2.get(key) == value:
                text = f"writes to {source}, which is read_only; use target"
                yield ("flows", name, "mm2", key), text


def _undefined(cluster: str, clusters: Mapping[str, Any]) -> str:
    hint = did_you_mean(cluster, clusters)
    return f"{cluster!r} is not a cluster of this file; defined are {listed(clusters)}{hint}"


def circles(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Yield a warning for each set of flows on which a record could come back to where it began.

    A flow that takes only what was first written on its source ends every such way; with prefixes,
    names decide.
    """
    onward = {name: flow for name, flow in config.flows.items() if _forwards(flow)}
    warned: set[frozenset[str]] = set()
    for name, flow in onward.items():
        if flow.rename == Rename.PREFIX:
            continue
        way = _way(onward, flow.target, flow.source)
        around = frozenset((name, *way))
        if way and around not in warned:
            warned.add(around)
            text = (
                f"goes round in a circle with {listed(way)}, and none of them leaves out what"
                " another brought (origin: any, or prefixes): a topic that all of them select would"
                " be copied round and round; set origin: local"
            )
            yield ("flows", name), text


def _forwards(flow: FlowConfig) -> bool:
    """Whether a flow takes what other flows brought to its source."""
    return flow.origin == Origin.ANY or flow.rename == Rename.PREFIX


def _way(flows: Mapping[str, FlowConfig], start: str, end: str) -> list[str]:
    """Return the flows that lead from one cluster to another, the fewest there are."""
    ways: dict[str, list[str]] = {start: []}
    to_look_at = [start]
    while to_look_at:
        here = to_look_at.pop(0)
        for name, flow in flows.items():
            if flow.source == here and flow.target not in ways:
                ways[flow.target] = [*ways[here], name]
                to_look_at.append(flow.target)
    return ways.get(end, [])


def dotted_heartbeats(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Yield a warning for each source whose heartbeats MirrorMaker 2's clients would not know."""
    for name, flow in config.flows.items():
        alias = flow.source.partition(".")[0]
        if flow.mm2.heartbeats is not None and alias != flow.source:
            text = (
                f"is for clients that take a cluster's name to end at the first dot: to them"
                f" {flow.source}.heartbeats comes from {alias!r}; name the cluster without dots"
            )
            yield ("flows", name, "mm2", "heartbeats"), text


def plaintext_secrets(config: Config) -> Iterator[KeyPath]:
    """Yield where the file holds a secret itself."""
    for path, secret in secrets_of(config):
        if secret.kind == "plain":
            yield path


def secrets_in_the_clear(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Yield a warning where a password or token can be read on its way by whoever carries it."""
    for name, cluster in config.clusters.items():
        sasl = cluster.sasl
        if sasl is None:
            continue
        what = _SENT_AS_IT_IS.get(sasl.mechanism)
        hosts = [server.rpartition(":")[0] for server in cluster.bootstrap_servers]
        if (
            what
            and cluster.security_protocol == SecurityProtocol.SASL_PLAINTEXT
            and not all(map(_is_this_host, hosts))
        ):
            text = f"sends the {what} unencrypted; use SASL_SSL"
            yield ("clusters", name, "security_protocol"), text
        endpoint = urlsplit(sasl.token_endpoint or "")
        if endpoint.scheme == "http" and not _is_this_host(endpoint.hostname or ""):
            text = "gets the client secret unencrypted; use https"
            yield ("clusters", name, "sasl", "token_endpoint"), text


def connect_logins_in_the_clear(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Yield a warning for each Connect worker on another host that gets a login unencrypted."""
    for name, section in config.connect.items():
        for index, url in enumerate(section.urls if section.auth else ()):
            parts = urlsplit(url)
            if parts.scheme == "http" and not _is_this_host(parts.hostname or ""):
                yield ("connect", name, "urls", index), "gets the login unencrypted; use https"


_SENT_AS_IT_IS = {SaslMechanism.PLAIN: "password", SaslMechanism.OAUTHBEARER: "token"}


def _is_this_host(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
