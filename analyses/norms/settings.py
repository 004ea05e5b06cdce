"""The norms have no settings."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """No settings: every norm is measured."""
