"""Hessian products and eigenvalues of this project and of other packages."""
