"""The files of a run as they were stored: read, and checked before anything uses them."""
