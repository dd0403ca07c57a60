"""The flow editor: regexes with what they select, live, and every setting of a flow."""
