"""What a result answers: settings, weights, sample and arithmetic, by name.

Two computations with the same question give the same answer, so one that is on disk is used, and
points of one are never mixed into another.
"""

from collections.abc import Mapping
from typing import Any

from landscape.results.provenance import Provenance
from landscape.results.result import plain
from landscape.runtime.options import to_plain

# What the origin of an objective says about the function itself, and not about its history.
OF_THE_FUNCTION = (
    "model",
    "model_args",
    "split",
    "loss",
    "evaluation",
    "metrics",
    "others",
    "files",
)
HASHES = {
    "weights": "other weights",
    "sample": "another sample",
    "coordinates": "other coordinates",
    "vectors": "other directions",
    "files": "another content of the files it was laid by",
}


def fingerprint(settings: Any, provenance: Provenance) -> dict[str, Any]:
    """The question that ``settings`` ask of the function that ``provenance`` describes."""
    return plain(
        {
            **to_plain(settings),
            "weights": provenance.weights_sha256,
            "sample": provenance.sample_sha256,
            "precision": provenance.precision,
            **{key: provenance.origin.get(key) or None for key in OF_THE_FUNCTION},
        }
    )


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is not the same, in words."""
    return [
        HASHES.get(key, f"{key} {_brief(before.get(key))}, now {_brief(value)}")
        for key, value in now.items()
        if before.get(key) != value
    ]


def _brief(value: Any) -> str:
    text = "not given" if value in (None, "", [], {}) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
