"""Quantities that analyses take of networks: similarities, ranks, perturbations, kernels."""
