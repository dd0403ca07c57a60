"""Download of jars by jgo's resolver; importing this module needs the extra `sandbox`."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import Artifact, MavenContext, PythonResolver

from engine.errors import SandboxError
from engine.sandbox.jars import Jar, is_whole
from engine.sandbox.progress import Progress, ProgressCallback

DOWNLOADS_AT_ONCE = 4
TRIES = 3
_TIMEOUT_SECONDS = 30
_BACK_OFF_SECONDS = 0.5
_ONCE = "This is needed once."


def download_all(
    folder: Path, jars: Sequence[Jar], report: ProgressCallback, cancelled: threading.Event
) -> None:
    """Download `jars` into `folder`, each checked before it gets there; blocking.

    Raises `SandboxError` (network, repository) and `OSError` (disk). Ends early, without an
    error, once `cancelled` is set.
    """
    message = f"Downloading Kafka to {folder}"
    report(Progress(message, 0, len(jars)))
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as staging:
        downloads = _Downloads(folder, Path(staging), cancelled)
        pool = ThreadPoolExecutor(DOWNLOADS_AT_ONCE, thread_name_prefix="ccr-download")
        try:
            futures = [pool.submit(downloads.download, jar) for jar in jars]
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                report(Progress(message, done, len(jars)))
        finally:
            # One failure ends them all: they would fail alike, one slow try after another.
            cancelled.set()
            pool.shutdown(cancel_futures=True)


class _Downloads:
    def __init__(self, folder: Path, staging: Path, cancelled: threading.Event) -> None:
        # Repositories named in the user's own jgo settings (a company's mirror) come first.
        repositories = dict(GlobalSettings.load().repositories)
        repositories.setdefault("central", MAVEN_CENTRAL_URL)
        self._folder = folder
        self._staging = staging
        self._cancelled = cancelled
        self._context = MavenContext(
            resolver=PythonResolver(),
            repo_cache=staging,
            remote_repos=repositories,
            timeout=_TIMEOUT_SECONDS,
        )

    def download(self, jar: Jar) -> None:
        """Bring one jar to its place, with a few tries."""
        component = self._context.project(jar.group, jar.artifact).at_version(jar.version)
        failure: SandboxError | None = None
        for attempt in range(TRIES):
            if self._cancelled.wait(attempt * _BACK_OFF_SECONDS):
                break
            failure = self._try(jar, component.artifact())
            if failure is None:
                return
        if failure is not None:
            raise failure

    def _try(self, jar: Jar, artifact: Artifact) -> SandboxError | None:
        path = self._staging / artifact.component.path_prefix / artifact.filename
        # A transfer that broke off leaves a part, which jgo would take for the whole.
        path.unlink(missing_ok=True)
        try:
            artifact.resolve()
        except requests.RequestException as error:
            return _network_error(error)
        except RuntimeError:
            return SandboxError(
                "fetch", jar.coordinate, "the Maven repository does not have it or refuses it",
                "Try again later, or check the repositories in jgo's settings.",
            )  # fmt: skip
        if not is_whole(path, jar):
            return SandboxError(
                "fetch", jar.coordinate, "what arrives differs from the lock file",
                "Go around the proxy or mirror that rewrites downloads.",
            )  # fmt: skip
        path.replace(self._folder / jar.file_name)
        return None


def _network_error(error: requests.RequestException) -> SandboxError:
    what = "Kafka's jars"
    if isinstance(error, requests.exceptions.SSLError):
        return SandboxError(
            "fetch", what, "the Maven repository's TLS certificate is not trusted here",
            f"Set REQUESTS_CA_BUNDLE to your company's CA file. {_ONCE}",
        )  # fmt: skip
    if isinstance(error, requests.exceptions.ProxyError):
        return SandboxError(
            "fetch", what, "the proxy cannot be reached",
            f"Check HTTPS_PROXY, then try again. {_ONCE}",
        )  # fmt: skip
    return SandboxError(
        "fetch", what, "the Maven repository cannot be reached",
        f"Check the network (behind a proxy: HTTPS_PROXY), then try again. {_ONCE}",
        retriable=True,
    )  # fmt: skip
