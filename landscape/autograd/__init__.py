"""Differentiation: gradients with their graph, and operations with cheap second derivatives."""
