"""MirrorMaker 2's own topics, for clients and connectors that read them (docs/mm2-topics.md)."""
