"""The engine's log: what it wrote, and is writing."""
