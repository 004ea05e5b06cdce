"""What to pass so that a checkpoint fits: each advice has been tried on its names and shapes."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from landscape.checkpoints.lookalike import (
    Lookalike,
    describe_names,
    describe_state,
    recognise,
)
from landscape.checkpoints.matching import Expected, find_matches
from landscape.checkpoints.state_dicts import StateDict
from landscape.models.catalog import ModelSpec, resolve_model
from landscape.models.names import FAMILIES, NAMED
from landscape.models.stored_names import effect_of_name

# timm's names for the sizes of our families; the others have no counterpart that can be set.
_TIMM = {
    "image_size": "img_size",
    "dim": "embed_dim",
    "depth": "depth",
    "patch_size": "patch_size",
    "num_classes": "num_classes",
    "channels": "in_chans",
}
_HEADS_NOTE = " (heads can't be seen in weights: pass those of the training)"


@dataclass(frozen=True)
class RequestedModel:
    """The model that was requested.

    Attributes:
        name: What the user called it.
        spec: Its name and all arguments.
        given: The arguments that the user gave.
        facts: What is known of the data.
    """

    name: str
    spec: ModelSpec
    given: Mapping[str, Any]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class _Proposal:
    """Flags that may fit; ``note`` says what the weights don't tell."""

    model: str
    arguments: dict[str, Any]
    note: str = ""

    @property
    def flags(self) -> str:
        words = " ".join(f"{key}={_text(value)}" for key, value in self.arguments.items())
        return f"--model {self.model}" + (f" --model-args {words}" if words else "")


def advise(weights: StateDict, contents: Any, network: nn.Module, requested: RequestedModel) -> str:
    """A sentence about weights that don't fit: what they look like, and the flags to try.

    Flags are advised only if a model that is built with them has the names and shapes of the
    weights.

    Args:
        weights: The weights that come nearest.
        contents: All that the file holds; it may name its model.
        network: The network that was requested.
        requested: Its name and arguments.

    Returns:
        The sentence; empty where nothing is known.
    """
    if any(match.is_complete for match in find_matches(weights.tensors, Expected.of(network))):
        return "Names and shapes fit: give the file of the floating-point weights themselves"
    shapes = {name: tensor.shape for name, tensor in weights.tensors.items()}
    lookalike = recognise(shapes)
    expected = Expected.of(network)
    for proposal in _proposals(lookalike, expected, weights, contents, requested):
        if _fits(proposal, weights, requested.facts):
            start = f"{_looks(lookalike)}; try" if lookalike else "Try"
            return f"{start} {proposal.flags}{proposal.note}"
    state = describe_state(shapes, expected.lacks(shapes))
    if not state and lookalike is not None:
        return (
            f"Its names are those of a {lookalike.family} as in timm, with other parts than "
            f"--model {lookalike.family} has. Check --model and --model-args, or try timm:NAME"
        )
    return state or describe_names(shapes)


def _looks(lookalike: Lookalike) -> str:
    words = " ".join(f"{key}={_text(value)}" for key, value in lookalike.sizes.items())
    return f"It looks like a {lookalike.family} with {words}"


def _proposals(
    lookalike: Lookalike | None,
    expected: Expected,
    weights: StateDict,
    contents: Any,
    requested: RequestedModel,
) -> Iterator[_Proposal]:
    """Flags to try, the nearest to what was requested first."""
    spec, given = requested.spec, requested.given
    if spec.name not in FAMILIES:
        for count in _class_counts(weights, expected):
            yield _Proposal(spec.name, {**given, "num_classes": count})
    network_lookalike = recognise(expected.shapes)
    same = (
        lookalike is not None
        and network_lookalike is not None
        and lookalike.family == network_lookalike.family
    )
    if (
        lookalike is not None
        and network_lookalike is not None
        and same
        and spec.name not in FAMILIES
    ):
        changed = {k: v for k, v in lookalike.sizes.items() if network_lookalike.sizes.get(k) != v}
        names = _TIMM if spec.name.startswith("timm:") else {key: key for key in lookalike.sizes}
        arguments = {names[key]: value for key, value in changed.items() if key in names}
        if "mlp_dim" in changed and spec.name.startswith("timm:"):
            arguments["mlp_ratio"] = lookalike.sizes["mlp_dim"] / lookalike.sizes["dim"]
        has_heads = "dim" in changed and lookalike.family == "vit"
        yield _Proposal(spec.name, {**given, **arguments}, _HEADS_NOTE if has_heads else "")
    if lookalike is not None:
        yield from _of_our_families(lookalike, requested)
    yield from _as_the_file_says(contents, weights, given)


def _of_our_families(lookalike: Lookalike, requested: RequestedModel) -> Iterator[_Proposal]:
    """The named model that needs the fewest arguments, and the one that was requested first."""
    kept: dict[str, Any] = {}
    if requested.spec.name == lookalike.family:
        kept = {key: value for key, value in requested.given.items() if key not in lookalike.sizes}
    proposals = []
    for name in [name for name, (family, _) in NAMED.items() if family == lookalike.family]:
        named = {key: list(v) if isinstance(v, tuple) else v for key, v in NAMED[name][1].items()}
        otherwise = {**_DEFAULTS, **requested.facts, **named}
        arguments = {
            key: value for key, value in lookalike.sizes.items() if otherwise.get(key) != value
        }
        proposal = _Proposal(name, {**kept, **arguments})
        if lookalike.family == "vit":
            proposal = _with_heads(proposal, lookalike, requested.spec, NAMED[name][1]["heads"])
        proposals.append((name != requested.name, len(proposal.arguments), proposal))
    for _, _, proposal in sorted(proposals, key=lambda item: item[:2])[:2]:
        yield proposal


# What our families take where nothing is said.
_DEFAULTS = {"channels": 3, "block": "bottleneck", "stem": "imagenet", "width": 64}


def _with_heads(
    proposal: _Proposal, lookalike: Lookalike, spec: ModelSpec, named: int
) -> _Proposal:
    dim = lookalike.sizes["dim"]
    wanted = spec.arguments.get("heads") if spec.name == "vit" else None
    heads = next((n for n in (wanted, named, dim // 64) if n and dim % n == 0), 1)
    arguments = dict(proposal.arguments)
    if heads != named:
        arguments["heads"] = heads
    return _Proposal(proposal.model, arguments, _HEADS_NOTE)


def _as_the_file_says(
    contents: Any, weights: StateDict, given: Mapping[str, Any]
) -> Iterator[_Proposal]:
    """The model that a training script has noted in the file, as timm and torchvision do."""
    if not isinstance(contents, Mapping):
        return
    arguments = contents.get("args")
    noted = [contents.get("arch"), *(getattr(arguments, key, None) for key in ("model", "arch"))]
    last = list(weights.tensors.values())[-1]  # most often the bias of the classifier
    classes = {"num_classes": len(last)} if last.dim() == 1 else {}
    for name in dict.fromkeys(name for name in noted if isinstance(name, str) and name):
        for library in ("timm", "torchvision"):
            if effect_of_name(f"{library}:{name}"):  # more than a name: trying it is not harmless
                continue
            yield _Proposal(f"{library}:{name}", dict(given))
            yield _Proposal(f"{library}:{name}", {**given, **classes})


def _class_counts(weights: StateDict, expected: Expected) -> set[int]:
    """The number of classes, if all that differs is the first dimension of the last layer."""
    match = find_matches(weights.tensors, expected)[0]
    if match.missing or match.unexpected:
        return set()
    pairs = [
        (weights.tensors[match.names[name]].shape, expected.shapes[name])
        for name in match.misshapen
    ]
    counts = {theirs[0] for theirs, ours in pairs if theirs[1:] == ours[1:]}
    is_head = len(counts) == 1 and all(theirs[1:] == ours[1:] for theirs, ours in pairs)
    return counts if is_head else set()


def _fits(proposal: _Proposal, weights: StateDict, facts: Mapping[str, Any]) -> bool:
    """Whether the model that the flags build has the names and shapes of the weights."""
    try:
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore")
            model = resolve_model(proposal.model, proposal.arguments, facts).build()
    except Exception:  # whatever a library's or a user's constructor raises: no advice then
        return False
    matches = find_matches(weights.tensors, Expected.of(model))
    return any(match.is_complete for match in matches)


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
