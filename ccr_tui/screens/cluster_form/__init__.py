"""Adding a cluster, and editing one."""
