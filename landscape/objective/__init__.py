"""The loss of a model as a deterministic function of its parameters, and its derivatives."""
