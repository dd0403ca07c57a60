"""The replication engine: everything but the screens. Never imports Textual."""

__version__ = "0.1.0"
