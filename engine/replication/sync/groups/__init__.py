"""Consumer groups: what they committed on the source, translated and committed on the target."""
