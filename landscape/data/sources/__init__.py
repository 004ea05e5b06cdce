"""Data sets as they lie on disk, read as samples."""
