"""Write a lock file of Kafka's jars anew: `python -m engine.sandbox.lock VERSION`.

For maintainers: resolving needs the network and jgo. Everybody else only reads the lock files
that this made.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from jgo.env import LockFile
from jgo.maven import MavenContext, PythonResolver

from engine.sandbox.jars import KAFKA_VERSION, lock_file

BROKER = ("kafka_2.13",)
TOOLS_AND_CONNECT = ("kafka-tools", "connect-runtime", "connect-mirror", "connect-file")
"""Only of the version that is ours; of the others we run brokers."""
LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl"
"""Kafka's own distribution adds such a binding to what its artifacts ask for; without it no log."""
LOG4J = tuple(f"org.apache.logging.log4j:log4j-{part}" for part in ("api", "core"))
LOG4J_VERSION = "2.25.3"
"""For Kafka 3, which asks for Log4j 1: all versions are to log alike."""


def resolve(repo_cache: Path, kafka_version: str) -> list[Any]:
    """Return jgo's dependencies of Kafka (ours: Connect and tools too), sorted by coordinate."""
    context = MavenContext(resolver=PythonResolver(), repo_cache=repo_cache)
    artifacts = BROKER + (TOOLS_AND_CONNECT if kafka_version == KAFKA_VERSION else ())
    inputs = [
        context.create_dependency(f"org.apache.kafka:{artifact}:{kafka_version}")
        for artifact in artifacts
    ]
    found, transitive = context.resolver.resolve(inputs)
    wanted = [*found, *(dep for dep in transitive if dep.scope in {"compile", "runtime"})]
    # Logging is added by hand: as more inputs their parent's managed versions would replace
    # Kafka's own (kafka-clients 3.9 among them).
    log4j = [dep for dep in wanted if dep.artifactId == "log4j-core"]
    version = log4j[0].version if log4j else LOG4J_VERSION
    missing = (LOG_BINDING,) if log4j else (LOG_BINDING, *LOG4J)
    wanted += [context.create_dependency(f"{artifact}:{version}") for artifact in missing]
    unique = {dep.artifact.key: dep for dep in wanted}
    return [unique[key] for key in sorted(unique)]


def main() -> int:
    """Resolve, download, and write the lock file of one version into this package."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m engine.sandbox.lock VERSION\n")
        return 2
    file = lock_file(sys.argv[1])
    with tempfile.TemporaryDirectory() as cache:
        dependencies = resolve(Path(cache), sys.argv[1])
        LockFile.from_resolved_dependencies(dependencies, environment_name="kafka").save(file)
    sys.stderr.write(f"{file}: {len(dependencies)} jars\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
