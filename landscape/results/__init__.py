"""Result files, their provenance and fingerprints, and journals of unfinished results."""
