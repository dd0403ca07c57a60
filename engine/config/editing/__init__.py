"""Edits of a configuration file that leave everything else in it as it was written."""
