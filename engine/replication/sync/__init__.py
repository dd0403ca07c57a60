"""What a flow keeps in step besides the records; one package or module a syncer."""
