"""Promotion, failover, failback, rehearsal of a flow."""
