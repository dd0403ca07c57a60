"""What people read when a cluster does not let them in: one sentence and the next step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.api.snapshots import FlowState, Severity
from engine.config.cluster_section import ClusterConfig
from engine.errors import ConnectError
from engine.kafka.cluster import Cluster
from engine.replication.fetcher import Fetcher
from engine.replication.sender import Sender
from engine.sandbox import Listener
from engine.sandbox.certificates import CertificateAuthority
from tests.kafka.engines import FreshTopic, create, running
from tests.kafka.test_security import assert_mirrored, oauth, produce
from tests.secured import STORE_PASSWORD, Secured, token_endpoint

pytestmark = pytest.mark.kafka


async def refusal(section: dict[str, Any]) -> str:
    """Return what a cluster `prod` says to a connection."""
    cluster = Cluster("prod", ClusterConfig.model_validate(section))
    try:
        with pytest.raises(ConnectError) as caught:
            await cluster.metadata([])
    finally:
        await cluster.close()
    text = str(caught.value)
    assert "\n" not in text
    assert "prod" in text
    return text


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_wrong_password(secured: Secured, mechanism: str) -> None:
    login = {**secured.login("ccr", mechanism), "password": secured.secret("not this")}
    section = secured.section("east", Listener.SASL, sasl=login)
    address = section["bootstrap_servers"][0]
    assert await refusal(section) == (
        f"connecting to cluster prod at {address}: the login ccr ({mechanism}) was refused. "
        "Check sasl.username, the password and sasl.mechanism"
    )


async def test_unknown_ca(secured: Secured, tmp_path: Path) -> None:
    other = CertificateAuthority.open(tmp_path, "another CA")
    text = await refusal(secured.section("east", Listener.TLS, tls={"ca": str(other.file)}))
    assert "its certificate is of a CA that is not trusted here" in text
    assert text.endswith("Set tls.ca (or tls.truststore) to the CA of this cluster")


async def test_wrong_host_name(secured: Secured) -> None:
    section = secured.section("east", Listener.TLS, tls={"ca": secured.ca})
    port = section["bootstrap_servers"][0].rpartition(":")[2]
    # Another spelling of the same address, which is no name of the certificate.
    section["bootstrap_servers"] = [f"127.1:{port}"]
    text = await refusal(section)
    assert text.startswith(
        f"connecting to cluster prod at 127.1:{port}: its certificate is for another name"
    )
    assert "have it issued for this one" in text


async def test_no_client_certificate(secured: Secured) -> None:
    text = await refusal(secured.section("east", Listener.MTLS, tls={"ca": secured.ca}))
    assert "the broker wants a client certificate, and none is configured" in text
    assert text.endswith("Set tls.certificate (or tls.keystore)")


async def test_expired_client_certificate(secured: Secured) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    expired = secured.client_certificate(
        "ccr-expired", not_before=yesterday, lifetime=timedelta(hours=1)
    )
    tls = {"ca": secured.ca, "certificate": expired}
    text = await refusal(secured.section("east", Listener.MTLS, tls=tls))
    when = yesterday + timedelta(hours=1)
    assert (
        f"the broker refused our certificate CN=ccr-expired, which expired {when:%Y-%m-%d %H:%M}"
        in text
    )
    assert text.endswith("Renew tls.certificate (or tls.keystore)")


async def test_client_certificate_of_another_ca(secured: Secured, tmp_path: Path) -> None:
    other = CertificateAuthority.open(tmp_path, "another CA")
    path = tmp_path / "client.pem"
    path.write_text(other.issue("stranger"))
    tls = {"ca": secured.ca, "certificate": str(path)}
    text = await refusal(secured.section("east", Listener.MTLS, tls=tls))
    assert "the broker refused our certificate CN=stranger, which is valid until" in text
    assert "Let the broker trust its issuer CN=another CA" in text


async def test_tls_to_a_plain_port_and_plain_to_a_tls_port(secured: Secured) -> None:
    section = secured.section("east", Listener.PLAINTEXT, tls={"ca": secured.ca})
    text = await refusal({**section, "security_protocol": "SSL"})
    assert "the broker closed the connection during the set-up as SSL" in text
    text = await refusal(
        {**secured.section("east", Listener.TLS), "security_protocol": "PLAINTEXT"}
    )
    assert "the broker closed the connection during the set-up as PLAINTEXT" in text
    assert text.endswith("Check security_protocol against the broker's listener")


async def test_a_login_where_none_is_taken(secured: Secured) -> None:
    section = secured.section("east", Listener.PLAINTEXT, sasl=secured.login("ccr", "PLAIN"))
    text = await refusal({**section, "security_protocol": "SASL_PLAINTEXT"})
    assert "the broker takes no logins on this port" in text
    assert text.endswith("Check security_protocol against the broker's listener")


@pytest.mark.parametrize("kind", ["JKS", "PKCS12"])
async def test_wrong_store_password(secured: Secured, kind: str) -> None:
    store = secured.truststore(kind)
    tls = {"truststore": store, "truststore_password": secured.secret("not this")}
    text = await refusal(secured.section("east", Listener.TLS, tls=tls))
    assert f"tls.truststore {store}: the password is wrong, or the store" in text
    assert text.endswith("Check tls.truststore and its password")
    assert STORE_PASSWORD not in text
    assert "not this" not in text


async def test_files_that_are_no_stores(secured: Secured, tmp_path: Path) -> None:
    text = await refusal(secured.section("east", Listener.TLS, tls={"truststore": secured.ca}))
    assert "it is PEM: name it under tls.ca" in text
    missing = str(tmp_path / "none.jks")
    text = await refusal(secured.section("east", Listener.TLS, tls={"truststore": missing}))
    assert f"tls.truststore {missing}: No such file or directory" in text


async def test_token_endpoint_refuses(secured: Secured) -> None:
    async with token_endpoint(secured.issuer) as tokens:
        section = oauth(Listener.SASL)(secured, "east", tokens)
        section["sasl"]["client_secret"] = secured.secret("not this")
        assert await refusal(section) == (
            f"fetching a token for cluster prod from {tokens.url}: HTTP 401 invalid_client. "
            "Check sasl.client_id, client_secret and scope"
        )
        gone = tokens.url
    section["sasl"]["token_endpoint"] = gone
    text = await refusal(section)
    assert text.startswith(f"fetching a token for cluster prod from {gone}: ")
    assert text.endswith("Check sasl.token_endpoint (and token_ca)")


async def test_broker_refuses_the_token(secured: Secured) -> None:
    async with token_endpoint(secured.issuer) as tokens:
        tokens.audience = "somebody else"
        text = await refusal(oauth(Listener.SASL)(secured, "east", tokens))
    assert "the login ccr (OAUTHBEARER) was refused" in text
    assert text.endswith(
        "Check sasl.scope, and what the broker asks of tokens (audience, issuer, keys)"
    )


async def test_sessions_that_end_are_replaced_before(
    secured: Secured, fresh_topic: FreshTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens that live for four seconds: every connection is made anew before it is cut off."""
    lost: list[str] = []
    for link, name in ((Fetcher, "_failed"), (Sender, "_give_back")):
        monkeypatch.setattr(link, name, lambda _, error: lost.append(str(error)))
    topic = fresh_topic("session")
    await create(secured.sandbox, topic, 2)
    async with token_endpoint(secured.issuer) as tokens:
        tokens.lifetime_s = 4
        clusters = {name: oauth(Listener.SASL)(secured, name, tokens) for name in ("east", "west")}
        async with running(secured.sandbox, [topic], clusters=clusters) as engine:
            produced = 0
            while tokens.issued < 7:  # of two clusters: at least three sessions of one
                await produce(secured, topic, 20, first=produced)
                produced += 20
                await engine.mirrored(topic, produced)
            events = engine.engine.events.since(0)
    assert lost == []
    assert not [event for event in events if event.severity is not Severity.INFO], events
    assert not [event for event in events if FlowState.WAITING in event.text], events
    await assert_mirrored(secured, topic, produced)
