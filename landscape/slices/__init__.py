"""The loss at many points of a line or plane through the weights."""
