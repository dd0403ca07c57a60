"""What one sees without a configuration: the ways to one. It runs without an engine."""
