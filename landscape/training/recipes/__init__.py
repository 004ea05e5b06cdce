"""Recipes: all settings of a training by name, kept in TOML files."""
