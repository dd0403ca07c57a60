"""What Kafka's clients are told about a cluster, as a section of `clusters`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.config.cluster_section import ClusterConfig
from engine.importing import values
from engine.importing.drafts import SecretBox
from engine.importing.ledger import Ledger
from engine.importing.logins import LOGIN_KEYS, login_section
from engine.importing.placeholders import in_text
from engine.importing.report import Setting

NOWHERE = "fill-in.invalid:9092"
"""Stands for bootstrap servers that the file does not say."""
_STORES = (
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
    "ssl.truststore.certificates",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.keystore.key",
    "ssl.keystore.certificate.chain",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
)
CLIENT_KEYS = (
    "bootstrap.servers",
    "security.protocol",
    *LOGIN_KEYS,
    *_STORES,
    "request.timeout.ms",
    "socket.connection.setup.timeout.ms",
)
"""The settings that a cluster's section is made of."""
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


class ClusterMaker:
    """Makes the section of one cluster out of its settings, by their names without prefixes."""

    def __init__(
        self, ledger: Ledger, secrets: SecretBox, name: str, settings: Mapping[str, Setting]
    ) -> None:
        self._ledger = ledger
        self._secrets = secrets
        self._name = name
        self._settings = settings
        self.section: dict[str, Any] = {}

    def make(self, asked_for: str) -> dict[str, Any]:
        """Return the section; `asked_for` is the key to ask for when servers are missing."""
        self._servers(asked_for)
        protocol = self._protocol()
        if protocol.startswith("SASL"):
            self.section["sasl"] = login_section(
                self._ledger, self._secrets, self._name, self._settings
            )
        if protocol.endswith("SSL"):
            self._tls()
        self._timeouts()
        self._of_no_use(protocol)
        return self.section

    def _place(self, key: str) -> str:
        return f"clusters.{self._name}.{key}"

    def _take(self, setting: Setting, key: str, value: object, text: str = "") -> None:
        section = self.section
        *above, last = key.split(".")
        for part in above:
            section = section.setdefault(part, {})
        section[last] = value
        self._ledger.taken(setting, self._place(key), text)

    def _servers(self, asked_for: str) -> None:
        setting = self._settings.get("bootstrap.servers")
        place = self._place("bootstrap_servers")
        self.section["bootstrap_servers"] = [NOWHERE]
        if setting is None:
            question = f"the file does not say where {self._name} is: which bootstrap servers?"
            self._ledger.decide(asked_for, question, place)
            return
        servers = [server.rpartition("://")[2] for server in values.listed(setting.value)]
        if in_text(setting.value):
            question = "it is fetched from elsewhere, which ccr does for secrets only: which is it?"
            self._ledger.decide(setting.key, question, place)
        elif not _are_servers(servers):
            self._ledger.refuse(setting, "must be host:port, several with commas")
            self._ledger.decide(asked_for, f"which bootstrap servers has {self._name}?", place)
        else:
            self._take(setting, "bootstrap_servers", servers)

    def _protocol(self) -> str:
        setting = self._settings.get("security.protocol")
        if setting is None:
            return "PLAINTEXT"
        protocol = setting.value.strip().upper()
        if protocol not in _PROTOCOLS:
            self._ledger.refuse(setting, f"is none of {', '.join(_PROTOCOLS)}")
            return "PLAINTEXT"
        if protocol == "PLAINTEXT":
            self._ledger.taken(setting, self._place("security_protocol"), "the default")
        else:
            self._take(setting, "security_protocol", protocol)
        return protocol

    def _tls(self) -> None:
        self._store("truststore", "ca", "ssl.truststore.certificates")
        self._store("keystore", "certificate", "ssl.keystore.key", "ssl.keystore.certificate.chain")
        tls = self.section.get("tls", {})
        password = self._settings.get("ssl.key.password")
        if password and ("keystore" in tls or "certificate" in tls):
            self._put_secret(password, "key_password", "key")
        self._hostname()

    def _store(self, store: str, pem: str, *inline: str) -> None:
        location = self._settings.get(f"ssl.{store}.location")
        kind = self._settings.get(f"ssl.{store}.type")
        password = self._settings.get(f"ssl.{store}.password")
        for setting in filter(None, map(self._settings.get, inline)):
            question = f"write what stands here into a PEM file and name it as tls.{pem}"
            self._ledger.decide(setting.key, question, self._place(f"tls.{pem}"))
        if location is None or not location.value.strip():
            return
        if in_text(location.value):
            self._ledger.refuse(location, "is fetched from elsewhere: ccr does that for secrets")
            return
        is_pem = kind is not None and kind.value.strip().upper() == "PEM"
        self._take(location, f"tls.{pem if is_pem else store}", location.value.strip())
        if kind:
            text = "PEM" if is_pem else "JKS and PKCS12 are told apart by the file's content"
            self._ledger.taken(kind, "", text)
        if password and not is_pem:
            self._put_secret(password, f"{store}_password", store)

    def _put_secret(self, setting: Setting, key: str, user: str) -> None:
        path = ("clusters", self._name, "tls", key)
        reference = self._secrets.reference(setting, setting.value, path, user)
        self.section.setdefault("tls", {})[key] = reference

    def _hostname(self) -> None:
        setting = self._settings.get("ssl.endpoint.identification.algorithm")
        if setting is None:
            return
        if setting.value.strip():
            text = "the broker's name is checked against its certificate"
            self._ledger.taken(setting, self._place("tls.verify_hostname"), text)
        else:
            self._take(setting, "tls.verify_hostname", False)

    def _timeouts(self) -> None:
        for key, ours, least, most in (
            ("request.timeout.ms", "request_timeout", 3.0, 600.0),
            ("socket.connection.setup.timeout.ms", "connect_timeout", 0.5, 120.0),
        ):
            setting = self._settings.get(key)
            time = values.time(self._ledger, setting, 0.001, least, most) if setting else None
            if setting and time:
                self._take(setting, ours, time)

    def _of_no_use(self, protocol: str) -> None:
        """Account for what a client would not look at either."""
        told = {setting.key for setting in self._ledger.open()}
        for key, setting in self._settings.items():
            if setting.key not in told or key not in CLIENT_KEYS:
                continue
            what = "login" if key.startswith("sasl.") else "TLS"
            used = protocol.startswith("SASL") if what == "login" else protocol.endswith("SSL")
            why = "is of no use with the rest" if used else f"there is no {what} with {protocol}"
            self._ledger.no_counterpart(setting, why)


def _are_servers(servers: list[str]) -> bool:
    try:
        ClusterConfig.model_validate({"bootstrap_servers": servers})
    except ValueError:
        return False
    return True
