"""Write the lock file of Kafka's jars anew: `python -m engine.sandbox.lock` (for maintainers).

Resolving needs the network and jgo; everybody else only reads the lock file that this made.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from jgo.env import LockFile
from jgo.maven import MavenContext, PythonResolver

from engine.sandbox.jars import KAFKA_VERSION, LOCK_FILE

KAFKA_ARTIFACTS = ("kafka_2.13", "kafka-tools", "connect-runtime", "connect-mirror", "connect-file")
LOG_BINDING = ("org.apache.logging.log4j", "log4j-slf4j-impl")
"""Kafka's own distribution adds this binding to what its artifacts ask for; without it no log."""


def resolve(repo_cache: Path) -> list[Any]:
    """Return jgo's dependencies of Kafka, Connect and their tools, sorted by coordinate."""
    context = MavenContext(resolver=PythonResolver(), repo_cache=repo_cache)
    inputs = [
        context.create_dependency(f"org.apache.kafka:{artifact}:{KAFKA_VERSION}")
        for artifact in KAFKA_ARTIFACTS
    ]
    found, transitive = context.resolver.resolve(inputs)
    wanted = [*found, *(dep for dep in transitive if dep.scope in {"compile", "runtime"})]
    # The binding is added by hand: as one more input its parent's managed versions would
    # replace Kafka's own (kafka-clients 3.9 among them).
    log4j = next(dep for dep in wanted if dep.artifactId == "log4j-core")
    wanted.append(context.create_dependency(":".join((*LOG_BINDING, log4j.version))))
    unique = {dep.artifact.key: dep for dep in wanted}
    return [unique[key] for key in sorted(unique)]


def main() -> int:
    """Resolve, download, and write the lock file next to this module."""
    with tempfile.TemporaryDirectory() as cache:
        dependencies = resolve(Path(cache))
        LockFile.from_resolved_dependencies(dependencies, environment_name="kafka").save(LOCK_FILE)
    sys.stderr.write(f"{LOCK_FILE}: {len(dependencies)} jars\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
