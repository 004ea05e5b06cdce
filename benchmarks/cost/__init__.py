"""What every analysis costs: formulas, and counts of floating-point operations and bytes."""
