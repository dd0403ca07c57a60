"""Every way to connect and log in, as source and as target at once, with the data path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.demo.compare import compare
from engine.sandbox import Listener
from tests.faults.rig import assert_identical
from tests.kafka.engines import FreshTopic, create, producer, running
from tests.secured import CLIENT_SECRET, STORE_PASSWORD, Secured, TokenEndpoint, token_endpoint

pytestmark = pytest.mark.kafka

RECORDS = 300
Section = Callable[[Secured, str, TokenEndpoint], dict[str, Any]]


def plaintext(secured: Secured, cluster: str, _: TokenEndpoint) -> dict[str, Any]:
    return secured.section(cluster, Listener.PLAINTEXT)


def tls_ca(secured: Secured, cluster: str, _: TokenEndpoint) -> dict[str, Any]:
    return secured.section(cluster, Listener.TLS, tls={"ca": secured.ca})


def tls_client_pem(secured: Secured, cluster: str, _: TokenEndpoint) -> dict[str, Any]:
    tls = {"ca": secured.ca, "certificate": secured.client_certificate("ccr")}
    return secured.section(cluster, Listener.MTLS, tls=tls)


def _stores(secured: Secured, trust: str, keys: str) -> dict[str, str]:
    password = secured.secret(STORE_PASSWORD)
    return {
        "truststore": trust,
        "truststore_password": password,
        "keystore": keys,
        "keystore_password": password,
    }


def tls_pkcs12(secured: Secured, cluster: str, _: TokenEndpoint) -> dict[str, Any]:
    keys = secured.pkcs12(secured.client_certificate("ccr"))
    tls = _stores(secured, secured.truststore("PKCS12"), keys) if cluster == "east" else None
    return secured.section(
        cluster, Listener.MTLS, tls=tls or {"ca": secured.ca, "keystore": keys,
        "keystore_password": secured.secret(STORE_PASSWORD)},
    )  # fmt: skip


def tls_jks(secured: Secured, cluster: str, _: TokenEndpoint) -> dict[str, Any]:
    if cluster == "west":
        tls = _stores(secured, *_jks(secured))
    else:
        trust, _keys = _jks(secured)
        tls = {"truststore": trust, "certificate": secured.client_certificate("ccr")}
    return secured.section(cluster, Listener.MTLS, tls=tls)


def _jks(secured: Secured) -> tuple[str, str]:
    made = secured.folder / "jks-made"
    if not made.exists():
        keys = secured.jks(secured.pkcs12(secured.client_certificate("ccr")))
        made.write_text(f"{secured.truststore('JKS')}\n{keys}")
    trust, keys = made.read_text().splitlines()
    return trust, keys


def sasl(listener: Listener, mechanism: str) -> Section:
    def section(secured: Secured, cluster: str, _: TokenEndpoint) -> dict[str, Any]:
        tls = {"tls": {"ca": secured.ca}} if listener is Listener.SASL_TLS else {}
        return secured.section(cluster, listener, sasl=secured.login("ccr", mechanism), **tls)

    return section


def oauth(listener: Listener) -> Section:
    def section(secured: Secured, cluster: str, tokens: TokenEndpoint) -> dict[str, Any]:
        tls = {"tls": {"ca": secured.ca}} if listener is Listener.SASL_TLS else {}
        login = {
            "mechanism": "OAUTHBEARER",
            "token_endpoint": tokens.url,
            "client_id": "ccr",
            "client_secret": secured.secret(CLIENT_SECRET),
            "scope": "kafka",
            "extensions": {"traceId": "one"},
        }
        return secured.section(cluster, listener, sasl=login, **tls)

    return section


WAYS: dict[str, Section] = {
    "plaintext": plaintext,
    "tls-ca": tls_ca,
    "tls-client-certificate": tls_client_pem,
    "tls-pkcs12": tls_pkcs12,
    "tls-jks": tls_jks,
    "plain": sasl(Listener.SASL, "PLAIN"),
    "plain-tls": sasl(Listener.SASL_TLS, "PLAIN"),
    "scram-256": sasl(Listener.SASL, "SCRAM-SHA-256"),
    "scram-512-tls": sasl(Listener.SASL_TLS, "SCRAM-SHA-512"),
    "oauthbearer": oauth(Listener.SASL),
    "oauthbearer-tls": oauth(Listener.SASL_TLS),
}


async def produce(secured: Secured, topic: str, count: int = RECORDS, first: int = 0) -> None:
    """Write records with keys and headers to the source, in no hurry about security."""
    async with producer(secured.sandbox, compression_type="lz4") as plain:
        for number in range(first, first + count):
            await plain.send(
                topic, f"value {number}".encode() * 20, key=f"key {number % 7}".encode(),
                partition=number % 2, headers=[("n", str(number).encode())],
            )  # fmt: skip


async def assert_mirrored(secured: Secured, topic: str, count: int) -> None:
    """Compare both clusters record by record, through the plain listeners."""
    found = await compare(
        secured.sandbox.bootstrap("east"), secured.sandbox.bootstrap("west"), {topic: topic}
    )
    assert_identical(found, count)
    assert found.source_records == count


@pytest.mark.parametrize("way", WAYS)
async def test_records_are_mirrored(way: str, secured: Secured, fresh_topic: FreshTopic) -> None:
    topic = fresh_topic("way")
    await create(secured.sandbox, topic, 2)
    await produce(secured, topic)
    async with token_endpoint(secured.issuer) as tokens:
        clusters = {name: WAYS[way](secured, name, tokens) for name in ("east", "west")}
        async with running(secured.sandbox, [topic], clusters=clusters) as engine:
            await engine.mirrored(topic, RECORDS)
    await assert_mirrored(secured, topic, RECORDS)
