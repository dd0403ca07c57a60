"""Download of jars by jgo's resolver; importing this module needs the extra `sandbox`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext, PythonResolver

from engine.errors import SandboxError
from engine.sandbox.jars import KAFKA_VERSION, Jar, is_whole
from engine.sandbox.progress import Progress, ProgressCallback

DOWNLOADS_AT_ONCE = 4
TRIES = 3


def download_all(folder: Path, jars: Sequence[Jar], report: ProgressCallback) -> None:
    """Download `jars` into `folder`. Raises `SandboxError` and `OSError`; blocking."""
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as staging:
        context = _maven(Path(staging))
        loaded = 0
        message = f"Downloading Kafka {KAFKA_VERSION} to {folder}"
        report(Progress(message, 0, len(jars)))
        pool = ThreadPoolExecutor(DOWNLOADS_AT_ONCE, thread_name_prefix="ccr-download")
        try:
            for future in as_completed([pool.submit(_download, context, jar) for jar in jars]):
                path, jar = future.result()
                path.replace(folder / jar.file_name)
                loaded += 1
                report(Progress(message, loaded, len(jars)))
        finally:
            pool.shutdown(cancel_futures=True)


def _maven(repo_cache: Path) -> MavenContext:
    # Repositories named in the user's own jgo settings (a company's mirror) come first.
    repositories = dict(GlobalSettings.load().repositories)
    repositories.setdefault("central", MAVEN_CENTRAL_URL)
    return MavenContext(
        resolver=PythonResolver(), repo_cache=repo_cache, remote_repos=repositories, timeout=30
    )


def _download(context: MavenContext, jar: Jar) -> tuple[Path, Jar]:
    """Download one jar, a few times if need be, and check it."""
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    for attempt in range(1, TRIES + 1):
        try:
            path = Path(artifact.resolve())
        except requests.ConnectionError as error:
            if attempt == TRIES:
                raise SandboxError(
                    "fetch", "Kafka's jars", "the Maven repository cannot be reached",
                    "Check the network and the proxy settings (HTTPS_PROXY), then try again: "
                    "this is needed once.",
                ) from error  # fmt: skip
        except (requests.RequestException, RuntimeError) as error:
            if attempt == TRIES:
                raise SandboxError(
                    "fetch", jar.coordinate, f"the Maven repository did not deliver it ({error})",
                    "Try again later: this is needed once.",
                ) from error  # fmt: skip
        else:
            if is_whole(path, jar):
                return path, jar
        # A transfer that broke off leaves a part, which jgo would take for the whole.
        if artifact.cached_path is not None:
            artifact.cached_path.unlink(missing_ok=True)
        time.sleep(attempt)
    raise SandboxError(
        "fetch", jar.coordinate, "what the Maven repository delivers differs from the lock file",
        "If a proxy or mirror rewrites downloads, go around it.",
    )  # fmt: skip
