"""The parts of the command ``landscape-train``."""
