"""What is computed, by name; imports no torch."""

PRODUCTS, LOSSES = "Hessian products", "losses"
COMPUTATIONS = (PRODUCTS, LOSSES)
