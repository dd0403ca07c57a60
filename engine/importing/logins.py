"""Logins: Kafka's `sasl.*` and its JAAS line, as a `sasl` section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from engine.config.cluster_section import SaslMechanism
from engine.importing import jaas
from engine.importing.drafts import FILL_IN, SecretBox
from engine.importing.ledger import Ledger
from engine.importing.placeholders import in_text
from engine.importing.report import Setting

_CREDENTIALS = "sasl.oauthbearer.client.credentials"
_ENDPOINT = "sasl.oauthbearer.token.endpoint.url"
LOGIN_KEYS = (
    "sasl.mechanism",
    "sasl.jaas.config",
    _ENDPOINT,
    f"{_CREDENTIALS}.client.id",
    f"{_CREDENTIALS}.client.secret",
    "sasl.oauthbearer.scope",
    "sasl.login.callback.handler.class",
    "sasl.client.callback.handler.class",
)
_BY_MODULE = {
    "PlainLoginModule": SaslMechanism.PLAIN,
    "ScramLoginModule": SaslMechanism.SCRAM_SHA_512,
    "OAuthBearerLoginModule": SaslMechanism.OAUTHBEARER,
}
_MODULES = {
    SaslMechanism.PLAIN: "PlainLoginModule",
    SaslMechanism.SCRAM_SHA_256: "ScramLoginModule",
    SaslMechanism.SCRAM_SHA_512: "ScramLoginModule",
    SaslMechanism.OAUTHBEARER: "OAuthBearerLoginModule",
}
_NO_URL = "https://fill-in.invalid/token"
_NO_LOGIN = jaas.Login("", {})


def login_section(
    ledger: Ledger, secrets: SecretBox, cluster: str, settings: Mapping[str, Setting]
) -> dict[str, Any]:
    """Return the `sasl` section of a cluster that is logged in to."""
    maker = _LoginMaker(ledger, secrets, cluster, settings)
    return maker.make()


class _LoginMaker:
    def __init__(
        self, ledger: Ledger, secrets: SecretBox, cluster: str, settings: Mapping[str, Setting]
    ) -> None:
        self._ledger = ledger
        self._secrets = secrets
        self._cluster = cluster
        self._settings = settings

    def make(self) -> dict[str, Any]:
        login = self._login()
        mechanism = self._mechanism(login)
        section: dict[str, Any] = {"mechanism": mechanism.value}
        if mechanism is SaslMechanism.OAUTHBEARER:
            self._token(section, login)
        else:
            self._password(section, login)
        self._handlers(mechanism)
        return section

    def _place(self, key: str) -> str:
        return f"clusters.{self._cluster}.sasl.{key}"

    def _login(self) -> jaas.Login:
        """Read the JAAS line; an empty login when there is none that can be read."""
        setting = self._settings.get("sasl.jaas.config")
        if setting is None:
            return _NO_LOGIN
        try:
            return jaas.parse(setting.value)
        except ValueError as error:
            if in_text(setting.value):
                question = "the login is fetched from elsewhere as a whole: which user is it?"
                self._ledger.decide(setting.key, question, self._place("username"))
            else:
                self._ledger.refuse(setting, f"the login {error}")
            return _NO_LOGIN

    def _mechanism(self, login: jaas.Login) -> SaslMechanism:
        setting = self._settings.get("sasl.mechanism")
        by_module = _BY_MODULE.get(login.name)
        place = self._place("mechanism")
        if setting is None:
            meant = by_module or SaslMechanism.SCRAM_SHA_512
            question = "sasl.mechanism is missing, and Kafka would take GSSAPI (Kerberos), which"
            self._ledger.decide(
                f"sasl.mechanism of {self._cluster}",
                f"{question} ccr has not: is it {meant}?",
                place,
            )
            return meant
        said = setting.value.strip().upper()
        if said not in list(SaslMechanism):
            meant = by_module or SaslMechanism.SCRAM_SHA_512
            known = ", ".join(SaslMechanism)
            self._ledger.refuse(setting, f"ccr logs in with {known}, not with {said}: which is it?")
            return meant
        mechanism = SaslMechanism(said)
        self._ledger.taken(setting, place)
        if login.name and _MODULES[mechanism] != login.name:
            key = self._settings["sasl.jaas.config"].key
            self._ledger.decide(key, f"{login.name} does not go with {said}: which is meant?")
        return mechanism

    def _option(self, login: jaas.Login, *names: str) -> str:
        return next((login.options[name] for name in names if name in login.options), "")

    def _password(self, section: dict[str, Any], login: jaas.Login) -> None:
        setting = self._settings.get("sasl.jaas.config")
        user = self._option(login, "username")
        if setting is None or not login.module:
            self._fill_in(section, setting)
            return
        if not user or in_text(user):
            question = "which user name? ccr takes references for secrets only"
            self._ledger.decide(setting.key, question, self._place("username"))
            user = FILL_IN
        else:
            self._ledger.taken(setting, self._place("username"), f"user {user}")
        section["username"] = user
        path = ("clusters", self._cluster, "sasl", "password")
        section["password"] = self._secrets.reference(
            setting, self._option(login, "password"), path, user
        )
        self._other_options(setting, login, {"username", "password"})

    def _fill_in(self, section: dict[str, Any], setting: Setting | None) -> None:
        entry = f"ccr-{self._cluster}/{FILL_IN}"
        section |= {"username": FILL_IN, "password": f"keyring:{entry}"}
        key = setting.key if setting else f"sasl.jaas.config of {self._cluster}"
        question = "which user, and where is the password? Then run `ccr secrets set SERVICE/USER`"
        self._ledger.decide(key, question, self._place("username"))

    def _token(self, section: dict[str, Any], login: jaas.Login) -> None:
        self._endpoint(section)
        line = self._settings.get("sasl.jaas.config")
        own = self._settings.get(f"{_CREDENTIALS}.client.id")
        client = (
            own.value if own else self._option(login, "clientId", "unsecuredLoginStringClaim_sub")
        )
        id_setting = own or line
        if not client or in_text(client) or id_setting is None:
            key = id_setting.key if id_setting else f"{_CREDENTIALS}.client.id of {self._cluster}"
            self._ledger.decide(key, "which client id?", self._place("client_id"))
            client = FILL_IN
        else:
            self._ledger.taken(id_setting, self._place("client_id"))
        section["client_id"] = client
        self._client_secret(section, login, client)
        self._scope(section, login)
        extensions = {
            name.removeprefix("extension_"): value
            for name, value in login.options.items()
            if name.startswith("extension_")
        }
        if extensions and line:
            section["extensions"] = extensions
            self._ledger.taken(line, self._place("extensions"))
        if line and login.module:
            known = {"clientId", "clientSecret", "scope"} | {f"extension_{n}" for n in extensions}
            self._other_options(line, login, known)

    def _endpoint(self, section: dict[str, Any]) -> None:
        setting = self._settings.get(_ENDPOINT)
        place = self._place("token_endpoint")
        section["token_endpoint"] = _NO_URL
        url = setting.value.strip() if setting else ""
        if setting and urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname:
            section["token_endpoint"] = url
            self._ledger.taken(setting, place)
        else:
            key = setting.key if setting else f"{_ENDPOINT} of {self._cluster}"
            self._ledger.decide(key, "which URL hands out the tokens (http or https)?", place)

    def _client_secret(self, section: dict[str, Any], login: jaas.Login, client: str) -> None:
        path = ("clusters", self._cluster, "sasl", "client_secret")
        own = self._settings.get(f"{_CREDENTIALS}.client.secret")
        setting = own or self._settings.get("sasl.jaas.config")
        value = own.value if own else self._option(login, "clientSecret")
        if setting is None:
            section["client_secret"] = f"keyring:ccr-{self._cluster}/{client}"
            key = f"{_CREDENTIALS}.client.secret of {self._cluster}"
            question = f"where is the secret? Run `ccr secrets set ccr-{self._cluster}/{client}`"
            self._ledger.decide(key, question, ".".join(path))
        else:
            section["client_secret"] = self._secrets.reference(setting, value, path, client)

    def _scope(self, section: dict[str, Any], login: jaas.Login) -> None:
        own = self._settings.get("sasl.oauthbearer.scope")
        setting = own or self._settings.get("sasl.jaas.config")
        scope = own.value if own else self._option(login, "scope")
        if scope and setting:
            section["scope"] = scope
            self._ledger.taken(setting, self._place("scope"))

    def _handlers(self, mechanism: SaslMechanism) -> None:
        for key in ("sasl.login.callback.handler.class", "sasl.client.callback.handler.class"):
            setting = self._settings.get(key)
            if setting is None:
                continue
            name = setting.value.strip().rpartition(".")[2]
            if mechanism is SaslMechanism.OAUTHBEARER and name.startswith("OAuthBearerLogin"):
                self._ledger.taken(setting, "", "ccr gets tokens by client credentials")
            else:
                question = f"{name} is a class: how does ccr log in without it?"
                self._ledger.decide(setting.key, question, self._place("mechanism"))

    def _other_options(self, setting: Setting, login: jaas.Login, known: set[str]) -> None:
        others = sorted(set(login.options) - known)
        if others:
            question = (
                f"ccr does not know the login's options {', '.join(others)}: are they needed?"
            )
            self._ledger.decide(setting.key, question)
