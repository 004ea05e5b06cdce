"""How figures look: style, scales, lettering, numbers with errors and units, and picture files."""
