"""Directions in weight space: random draws, those of networks, and those in files."""
