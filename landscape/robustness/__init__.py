"""The accuracy of image classifiers on corrupted and attacked pictures, and on other sets."""
