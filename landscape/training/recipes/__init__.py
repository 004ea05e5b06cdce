"""Recipes: every setting of a training, by name. The TOML files hold them, one table a row."""
