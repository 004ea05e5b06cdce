"""Recording curvature during a training, without changing it."""
