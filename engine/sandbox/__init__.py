"""Real Kafka on this machine, for the demo, the tests and the benchmarks.

sandbox = Sandbox(clusters={"east": ClusterSpec(connect_workers=2), "west": ClusterSpec(brokers=3)})
await sandbox.up()
sandbox.bootstrap("east"), sandbox.connect.urls("east")
"""

from engine.sandbox.broker import ClusterSpec
from engine.sandbox.credentials import security_with_user
from engine.sandbox.java import JavaKit
from engine.sandbox.leftovers import clean_up, find_leftovers
from engine.sandbox.progress import Progress, ProgressCallback
from engine.sandbox.sandbox import Sandbox, sandbox_home
from engine.sandbox.security import Listener, Security
from engine.sandbox.status import BrokerStatus, ClusterStatus, SandboxStatus, WorkerStatus

__all__ = [
    "BrokerStatus",
    "ClusterSpec",
    "ClusterStatus",
    "JavaKit",
    "Listener",
    "Progress",
    "ProgressCallback",
    "Sandbox",
    "SandboxStatus",
    "Security",
    "WorkerStatus",
    "clean_up",
    "find_leftovers",
    "sandbox_home",
    "security_with_user",
]
