"""Names of topics that ccr itself writes on targets."""

from __future__ import annotations


def quarantine_topic(flow: str) -> str:
    """Name a flow's quarantine topic."""
    return f"ccr.{flow}.quarantine.internal"
