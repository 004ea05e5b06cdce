"""Training with or without sharpness-aware minimisation (SAM)."""
