"""ACLs of mirrored topics and of groups, kept in step with the source's (docs/acls.md)."""
