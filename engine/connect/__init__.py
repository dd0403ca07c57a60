"""Kafka Connect clusters, steered by their REST API. Knows nothing of our own replication."""
