"""Data sets by name, as samples a model can be fed with."""
