"""Sharpness-aware minimisation: the ascent step, what is done with its gradient, the radius."""
