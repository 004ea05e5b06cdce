"""Tests of the subcommands that look into result files."""
