"""Whether the errors that the product prints are what they say: `python -m benchmarks.coverage`."""
