"""The user's own settings of the console."""
