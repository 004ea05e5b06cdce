"""Random changes of pictures during training."""
