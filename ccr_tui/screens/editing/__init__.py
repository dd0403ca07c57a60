"""What forms over the configuration share: trying while one types, the difference, saving."""
