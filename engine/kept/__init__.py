"""What a service keeps on disk of its past, read back in pieces: its log and its events."""
