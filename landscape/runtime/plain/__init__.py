"""What comes from files, as plain values: read within bounds, and checked against types."""
