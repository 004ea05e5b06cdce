"""What a point of a surface of a small network costs beside its forward pass."""
