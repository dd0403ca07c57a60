"""Which topics a flow takes, what their mirrors lack, and putting that right."""
