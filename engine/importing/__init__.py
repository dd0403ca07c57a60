"""Configurations of MirrorMaker 2 and of Confluent Replicator, told as ours, key by key."""
