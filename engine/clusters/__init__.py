"""What the console shows of clusters, and testing a connection step by step."""
