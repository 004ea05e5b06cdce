"""Run directories, and loading any checkpoint into a model."""
