"""The same topics mirrored both ways, or in a mesh: whose records are whose."""
