"""Real Kafka on this machine, for the demo, the tests and the benchmarks.

sandbox = Sandbox(clusters={"east": ClusterSpec(), "west": ClusterSpec(brokers=3)})
await sandbox.up()
sandbox.bootstrap("east")
"""

from engine.sandbox.broker import ClusterSpec
from engine.sandbox.java import JavaKit
from engine.sandbox.progress import Progress, ProgressCallback
from engine.sandbox.sandbox import Sandbox
from engine.sandbox.status import ClusterStatus, SandboxStatus

__all__ = [
    "ClusterSpec",
    "ClusterStatus",
    "JavaKit",
    "Progress",
    "ProgressCallback",
    "Sandbox",
    "SandboxStatus",
]
