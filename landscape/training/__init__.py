"""The training loop, sharpness-aware minimisation and schedules."""
