"""The fingerprint of a question: settings, weights, sample and arithmetic, by name.

Two computations with the same fingerprint give the same answer. So a result that is on disk is
used again if its fingerprint is the same, and points are never mixed with those of another one.
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
    "weights_key_given",
    "split",
    "loss",
    "code",
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
    """The fingerprint of what ``settings`` ask of the function that ``provenance`` describes.

    Args:
        settings: a dataclass; all its fields take part.
        provenance: weights, sample, precision and origin of the objective.

    Returns:
        Values of JSON types by name.
    """
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
    """What differs between two fingerprints, one phrase for each name; empty if nothing does.

    Earlier versions did not note all that there is now: code that one of them does not know is no
    difference, nor is a name that one of them lacks and that is empty or False in the other.
    """
    named = [
        HASHES.get(key, f"{key} {_brief(before.get(key))}, now {_brief(now.get(key))}")
        for key in {**now, **before}
        if key != "code" and not _is_same(before.get(key), now.get(key))
    ]
    old_code, new_code = before.get("code"), now.get("code")
    if not isinstance(old_code, Mapping) or not isinstance(new_code, Mapping):
        return named
    for role in {**new_code, **old_code}:
        old, new = _parts(old_code.get(role)), _parts(new_code.get(role))
        is_named = before.get(role) != now.get(role) or (named and not (old and new))
        parts = [part for part in {**new, **old} if old.get(part) != new.get(part)]
        if parts and not is_named:
            named.append(f"other code of the {role}: {_brief(', '.join(parts))}")
    return named


def _parts(code: Any) -> dict[str, Any]:
    """The parts of a function's code; a damaged file may hold anything in its place."""
    return dict(code) if isinstance(code, Mapping) else {}


def _is_same(before: Any, now: Any) -> bool:
    return before == now or (None in (before, now) and (before or now) in (None, "", [], {}, False))


def _brief(value: Any) -> str:
    text = "not given" if value in (None, "", [], {}) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
