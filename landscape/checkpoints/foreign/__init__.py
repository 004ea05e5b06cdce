"""Readers of other programs' checkpoint formats."""
