"""Run directories, and reading any checkpoint into a model."""
