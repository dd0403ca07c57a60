"""All clusters of the configuration."""
