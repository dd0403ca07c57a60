"""Runbooks: planned switch, failover, failback, rehearsal, as plans that are shown, run, journaled."""
