"""Hessian operators and what is asked of them; one algorithm a file."""
