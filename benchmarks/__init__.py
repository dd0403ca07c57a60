"""ccr beside MirrorMaker 2, in turn, on the same brokers and data. Run with `make bench`."""
