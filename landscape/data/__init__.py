"""Data sets by name, as samples and batches for a model."""
