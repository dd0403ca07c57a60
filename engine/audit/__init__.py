"""Who did what to the engine, from where, and how it ended: one line an act, never altered.

`audited` stands in front of an EngineApi, so that no command can be forgotten; `caller` says who
asks, as the control socket found out; `file` writes and reads the lines.
"""
