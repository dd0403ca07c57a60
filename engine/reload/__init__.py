"""Applying a changed configuration to a running engine: only what changed is touched."""
