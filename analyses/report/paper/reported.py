"""What the paper reports for its own networks, to be printed beside a measurement of one."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from landscape.models.names import NAMED

# What timm calls them; its variants by training follow a dot.
_OF_TIMM = {
    "resnet152": re.compile(r"timm:resnet152(\.|$)"),
    "vit-b16": re.compile(r"timm:vit_base_patch16_(sam_)?224(\.|$)"),
    "mixer-b16": re.compile(r"timm:mixer_b16_224(\.|$)"),
}
CLASSES = 1000


def as_reported(origin: Mapping[str, Any], quantity: str) -> str:
    """The paper's figure for this network, plain and with SAM where that is not known; "" if none.

    ``origin`` is that of a result's provenance.
    """
    reported = _table().get(_paper_model(origin), {})
    if quantity in reported:
        return f"{reported[quantity]}"
    is_sam = trained_with_sam(origin)
    kinds = ("plain", "sam") if is_sam is None else ("sam" if is_sam else "plain",)
    values = [(kind, reported.get(kind, {}).get(quantity)) for kind in kinds]
    words = [
        f"{value} {kind}" if len(kinds) > 1 else f"{value}"
        for kind, value in values
        if value is not None
    ]
    return ", ".join(words)


def trained_with_sam(origin: Mapping[str, Any]) -> bool | None:
    """Whether SAM trained it; None where the checkpoint does not say."""
    training = origin.get("training")
    if training and training.get("rho") is not None:
        return bool(training["rho"] > 0)
    if re.search(r"[._]sam([._]|$)", str(origin.get("model", ""))):
        return True
    return None


def _paper_model(origin: Mapping[str, Any]) -> str:
    """The paper's name of an architecture at its published sizes; "" for any other."""
    model, arguments = str(origin.get("model", "")), origin.get("model_args") or {}
    for name, pattern in _OF_TIMM.items():
        if pattern.match(model):
            return name if arguments.get("num_classes", CLASSES) == CLASSES else ""
        family, sizes = NAMED[name]
        if model == family and all(
            _listed(arguments.get(key)) == _listed(size) for key, size in sizes.items()
        ):
            return name
    return ""


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@cache
def _table() -> dict[str, Any]:
    text = files("analyses.report.paper").joinpath("reported.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
