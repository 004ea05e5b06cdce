"""Which parameters a random direction moves, and what counts as one filter of each.

Li et al. (2018) normalise a direction filter by filter, which settles kernels. Their tool leaves
tensors of one dimension in place (``ignore=biasbn``) and cuts every other along dimension 0, so
that the whole position embedding of a ViT, of shape (1, N, D), becomes one filter. A policy says
it for every kind of parameter, and a result states it tensor by tensor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from landscape.errors import InputError
from landscape.parameters.kinds import KINDS

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from landscape.parameters.layout import ParameterLayout

# zero: not moved; copy: the direction is the weights themselves (the original tool's choice for
# tensors of one dimension where it does not ignore them); the rest say what one filter is: each
# slice along dimension 0, each vector along the last, or the whole tensor. A tensor of one
# dimension has no slices: with rows it is not moved.
TREATMENTS = ("zero", "copy", "rows", "vectors", "whole")

_TOKENS = {"class-token": "whole", "position": "vectors"}
PRESETS: dict[str, dict[str, str]] = {
    # Everything of two or more dimensions along dimension 0, as the original tool does.
    "li2018": dict.fromkeys(KINDS, "rows"),
    # Rows of dense kernels and the patch embedding's channels; each position and token a filter.
    "transformer": {**dict.fromkeys(KINDS, "rows"), **_TOKENS},
    # Nothing stays in place; a tensor of one dimension is one filter.
    "all": {
        **dict.fromkeys(KINDS, "whole"),
        **_TOKENS,
        "kernel": "rows",
        "embedding": "rows",
    },
}
# BatchNorm's running statistics, where a direction is asked to move them: a random variance soon
# is negative, so no preset draws one.
STATISTICS_TREATMENTS = ("zero", "copy")


@dataclass(frozen=True)
class Policy:
    """A treatment for each kind of parameter."""

    treatments: Mapping[str, str]
    statistics: str = "zero"

    @classmethod
    def named(cls, preset: str = "li2018", overrides: Iterable[str] = ()) -> Policy:
        """A preset, changed by words such as ``bias=whole``. Raises InputError for unknown ones."""
        if preset not in PRESETS:
            raise InputError(f"unknown policy {preset!r}; expected one of {', '.join(PRESETS)}")
        changed = dict(map(_parse, overrides))
        statistics = changed.pop("statistics", "zero")
        return cls({**PRESETS[preset], **changed}, statistics)

    def of(self, layout: ParameterLayout) -> tuple[str, ...]:
        """What happens to each tensor of the layout."""
        return tuple(map(self._treatment, layout.kinds, layout.shapes))

    def _treatment(self, kind: str, shape: torch.Size) -> str:
        treatment = self.treatments[kind]
        return "zero" if treatment == "rows" and len(shape) <= 1 else treatment


def filters(tensor: Tensor, treatment: str) -> Tensor:
    """The filters of a tensor as rows, of shape (filters, entries); a view of it."""
    if treatment == "rows":
        return tensor.view(len(tensor), -1)
    if treatment == "vectors" and tensor.dim() > 1:
        return tensor.view(-1, tensor.shape[-1])
    return tensor.view(1, -1)


def parse_override(word: str) -> str:
    """``KIND=TREATMENT`` as it is. Raises InputError if it means nothing."""
    _parse(word)
    return word


def _parse(word: str) -> tuple[str, str]:
    kind, _, treatment = word.partition("=")
    known = STATISTICS_TREATMENTS if kind == "statistics" else TREATMENTS
    if kind not in (*KINDS, "statistics") or treatment not in known:
        raise InputError(
            f"expected KIND=TREATMENT, such as bias=whole, got {word!r}; kinds: "
            f"{', '.join(KINDS)}; treatments: {', '.join(TREATMENTS)}; or statistics=copy"
        )
    return kind, treatment
