"""Products with the Hessian and related matrices, and what can be computed from them."""
