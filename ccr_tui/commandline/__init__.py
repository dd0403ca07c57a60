"""The `:` line: every action by name, with what it is about; completed, with a history."""
