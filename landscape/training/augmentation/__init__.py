"""Augmentation of training batches: its settings and how it is done."""
