"""Surfaces in the formats of other viewers, and surface files of the original tool."""
