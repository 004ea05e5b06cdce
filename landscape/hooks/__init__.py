"""Observers of forward passes: activations, attention weights and dense layers."""
