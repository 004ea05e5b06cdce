"""Subcommands that look into result files, and measure and write nothing."""
