"""Other people's checkpoint formats, one a file."""
