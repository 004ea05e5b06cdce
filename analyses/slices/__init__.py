"""What lines and planes through the weights share: grids, directions, measuring and results."""
