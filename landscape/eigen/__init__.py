"""Eigenpairs, spectral densities and traces of symmetric operators that can only multiply."""
