"""How networks of pictures do where pictures are corrupted, attacked or from elsewhere."""
