"""Runbooks: planned switch and failover as plans that are shown, run and journaled."""
