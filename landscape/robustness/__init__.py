"""The accuracy of image classifiers on corrupted, attacked and shifted pictures."""
