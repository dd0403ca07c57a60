"""Identical offsets: new mirrors that begin where their sources do (docs/identical-offsets.md).

An empty target partition is filled with records that nobody sees, in transactions that are aborted,
up to where its source begins, and what was filled in is deleted.
"""
