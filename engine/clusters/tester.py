"""Testing the connection to a cluster, from its secrets to what we may do there.

Changes nothing. Every step is bounded in time; the first that fails ends the test.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from engine.api.cluster_snapshots import ConnectionTest, StepName
from engine.clusters import permissions, probing
from engine.clusters.advertised import check_brokers
from engine.clusters.certificates import certificate_lines, names_in
from engine.clusters.probing import NotKafkaError, Server
from engine.clusters.steps import FINE, NOT_NEEDED, Outcome, StepError, Steps, sentences
from engine.config.cluster_section import ClusterConfig
from engine.config.model import Config
from engine.config.problems import dotted
from engine.config.sections import secrets_of
from engine.errors import CcrError
from engine.kafka.cluster import Cluster
from engine.kafka.dialing import Dialer
from engine.kafka.metadata import ClusterMetadata
from engine.kafka.refusals import why
from engine.kafka.releases import or_newer, release

log = logging.getLogger(__name__)

METADATA_WITHIN_S = 20.0
PERMISSIONS_WITHIN_S = 40.0
_MOST_TOLD = 12  # brokers, names
_T = TypeVar("_T")
_CONNECTING = (OSError, EOFError, TimeoutError, ValueError, NotKafkaError)


class ConnectionTester:
    """One test of one cluster; `run` it in a task, and look at `snapshot` meanwhile."""

    def __init__(self, number: int, name: str, section: ClusterConfig, config: Config) -> None:
        """`config` says which flows use the cluster; their permissions are asked for, too."""
        self._name = name
        self._section = section
        self._config = config
        self._steps = Steps(number, name)
        self._cluster = Cluster(name, section)
        self._dialer: Dialer | None = None
        self._servers = [Server.parse(each) for each in section.bootstrap_servers]
        self._metadata: ClusterMetadata | None = None

    def snapshot(self) -> ConnectionTest:
        """Return what was found so far."""
        return self._steps.snapshot()

    async def run(self) -> None:
        """Take all steps, up to the first that fails."""
        acts: dict[StepName, Callable[[], Awaitable[Outcome]]] = {
            StepName.PREPARE: self._prepare,
            StepName.RESOLVE: self._resolve,
            StepName.CONNECT: self._connect,
            StepName.TLS: self._tls,
            StepName.KAFKA: self._kafka,
            StepName.LOGIN: self._login,
            StepName.METADATA: self._ask_metadata,
            StepName.BROKERS: self._brokers,
            StepName.PERMISSIONS: self._permissions,
        }
        try:
            for name, act in acts.items():
                await self._steps.take(name, lambda act=act: _told(act))  # type: ignore[misc]
        except StepError:
            pass  # the step has it
        finally:
            self._steps.finish()
            await self._cluster.close()

    # secrets and files

    async def _prepare(self) -> Outcome:
        doubt = FINE
        try:
            self._dialer = await Dialer.create(self._name, self._section)
        finally:
            secrets = list(secrets_of(self._section))
            self._see(*(f"{dotted(path)}: {secret}, {secret.state}" for path, secret in secrets))
        own = self._dialer.tls.own if self._dialer.tls else None
        if own is not None:
            self._see(f"our certificate: {own.subject}, valid until {own.expires_at:%Y-%m-%d}")
            if own.expires_at.timestamp() < time.time():
                doubt = Outcome("our certificate has expired", "Renew it")
        return doubt if secrets or own else NOT_NEEDED

    @property
    def _context(self) -> ssl.SSLContext | None:
        return self._dialer.tls.context if self._dialer and self._dialer.tls else None

    # the network

    async def _resolve(self) -> Outcome:
        async def one(server: Server) -> None:
            try:
                found = await probing.resolve(server)
            except socket.gaierror as error:
                raise StepError(
                    f"the name {server.host} cannot be resolved ({error.strerror})",
                    "Check its spelling in bootstrap_servers, and this host's DNS or /etc/hosts",
                ) from None
            addresses = "an address" if found == [server.host] else ", ".join(found)
            self._see(f"{server.host} is {addresses}")

        return await self._each(one)

    async def _connect(self) -> Outcome:
        async def one(server: Server) -> None:
            addresses = await probing.resolve(server)
            tries = [self._connect_to(server, address) for address in addresses]
            failures = [each for each in await asyncio.gather(*tries) if each is not None]
            if len(failures) == len(addresses):
                raise failures[0]

        return await self._each(one)

    async def _connect_to(self, server: Server, address: str) -> StepError | None:
        at = str(Server(address, server.port))
        begun = time.monotonic()
        try:
            await self._within(probing.connect(address, server.port))
        except _CONNECTING as error:
            cause, next_step = self._why(error)
            self._see(f"{at}: {cause}")
            named = at if at == str(server) else f"{server} ({at})"
            return StepError(f"{named}: {cause}", next_step)
        self._see(f"{at}: connected in {_milliseconds(time.monotonic() - begun)}")
        return None

    # TLS

    async def _tls(self) -> Outcome:
        return NOT_NEEDED if self._context is None else await self._each(self._handshake)

    async def _handshake(self, server: Server) -> None:
        try:
            shown = await self._within(probing.certificate_of(server, self._context))
        except ssl.SSLCertVerificationError as error:
            cause, next_step = self._why(error)
            raise StepError(
                f"{server}: {cause}{await self._what_it_shows(server)}", next_step
            ) from None
        self._see(*certificate_lines(server, shown))

    async def _what_it_shows(self, server: Server) -> str:
        try:
            shown = await self._within(probing.certificate_of(server, None))
        except (*_CONNECTING, ssl.SSLError):
            return ""  # the broker insists on something: what is known must do
        self._see(*certificate_lines(server, shown))
        names = ", ".join(names_in(shown)[:_MOST_TOLD]) or "no host at all"
        return (
            f". It was issued by {shown.issuer.rfc4514_string()} for {names},"
            f" and is valid until {shown.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        )

    # Kafka

    async def _kafka(self) -> Outcome:
        async def one(server: Server) -> None:
            spoken = await self._within(probing.versions(server, self._context))
            self._see(f"{server}: Kafka {or_newer(release(spoken))}")

        return await self._each(one)

    async def _login(self) -> Outcome:
        sasl = self._section.sasl
        if sasl is None:
            return NOT_NEEDED
        return await self._each(self._log_in)

    async def _log_in(self, server: Server) -> None:
        sasl, dialer = self._section.sasl, self._dialer
        assert sasl is not None  # noqa: S101  (the step is not taken)
        assert dialer is not None  # noqa: S101  (the first step made it)
        wanted = sasl.mechanism.value
        error, offered = await self._within(probing.mechanisms(server, self._context, wanted))
        self._see(f"{server} offers {', '.join(offered) or 'no login'}; configured is {wanted}")
        if probing.is_other_mechanism(error):
            raise StepError(
                f"{server} does not offer {wanted}, only {', '.join(offered)}",
                "Change sasl.mechanism, or enable it on the broker (sasl.enabled.mechanisms)",
            )
        connection = await dialer.dial(server.host, server.port)
        connection.close()
        self._see(f"{server}: logged in as {dialer.login}")

    async def _ask_metadata(self) -> Outcome:
        async with asyncio.timeout(METADATA_WITHIN_S):
            metadata = await self._cluster.metadata(operations=True)
        self._metadata = metadata
        told = [f"{id_} at {host}:{port}" for id_, (host, port) in sorted(metadata.brokers.items())]
        more = f" and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
        self._see(f"cluster id {metadata.cluster_id}")
        self._see(f"brokers advertised: {', '.join(told[:_MOST_TOLD])}{more}")
        self._see(f"{len(metadata.topics):,} topics are visible to us")
        if not told:
            raise StepError("the cluster tells of no broker", "Is it still starting?")
        return FINE

    async def _brokers(self) -> Outcome:
        assert self._metadata is not None  # noqa: S101  (the step before asked)
        return await check_brokers(
            self._cluster, self._metadata, self._servers, self._section.connect_timeout, self._see
        )

    async def _permissions(self) -> Outcome:
        assert self._metadata is not None  # noqa: S101
        async with asyncio.timeout(PERMISSIONS_WITHIN_S):
            return await permissions.check_permissions(
                self._cluster, self._metadata, self._config, self._see
            )

    # what the steps share

    def _see(self, *lines: str) -> None:
        self._steps.see(*lines)

    async def _within(self, what: Awaitable[_T]) -> _T:
        async with asyncio.timeout(self._section.connect_timeout):
            return await what

    def _why(self, error: Exception) -> tuple[str, str]:
        if isinstance(error, NotKafkaError):
            return (
                f"what answers at this port {error}",
                "Check the port and security_protocol against the broker's listener",
            )
        own = self._dialer.tls.own if self._dialer and self._dialer.tls else None
        return why(error, self._section, self._dialer.login if self._dialer else "", own)

    async def _each(self, probe: Callable[[Server], Awaitable[None]]) -> Outcome:
        """Probe the servers; go on with those that are fine, and fail when none is."""
        failures = await asyncio.gather(*(self._probe(probe, each) for each in self._servers))
        good = [s for s, failure in zip(self._servers, failures, strict=True) if failure is None]
        bad = [failure for failure in failures if failure is not None]
        if not good:
            raise StepError(sentences(each.problem for each in bad), bad[0].next_step)
        self._servers = good
        if not bad:
            return FINE
        return Outcome(sentences(each.problem for each in bad), bad[0].next_step)

    async def _probe(
        self, probe: Callable[[Server], Awaitable[None]], server: Server
    ) -> StepError | None:
        try:
            await self._within(probe(server))
        except StepError as error:
            return error
        except CcrError as error:
            return StepError(f"{server}: {error.cause}", error.next_step)
        except _CONNECTING as error:
            cause, next_step = self._why(error)
            return StepError(f"{server}: {cause}", next_step)
        return None


async def _told(act: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Let a step fail with a sentence, whatever happened."""
    try:
        return await act()
    except StepError:
        raise
    except CcrError as error:
        raise StepError(error.cause, error.next_step) from error
    except TimeoutError:
        raise StepError(
            "the cluster did not answer in time", "Is it overloaded, or the network slow?"
        ) from None
    except Exception as error:
        log.exception("testing a connection failed")
        cause = f"internal error: {type(error).__name__}: {error}"
        raise StepError(cause, "Please report it with the log file") from error


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
