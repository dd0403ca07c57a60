"""Can the clusters be reached, and may we do there what the flows need? For `ccr check`."""

from engine.checking.checks import check
from engine.checking.report import (
    BrokerReport,
    CheckReport,
    ClusterReport,
    FlowReport,
    Grant,
    Permission,
    Problem,
)

__all__ = [
    "BrokerReport",
    "CheckReport",
    "ClusterReport",
    "FlowReport",
    "Grant",
    "Permission",
    "Problem",
    "check",
]
