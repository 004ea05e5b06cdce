"""Loading a checkpoint of any supported format into a model."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from landscape.checkpoints.advice import RequestedModel, advise
from landscape.checkpoints.choice import Choice, choose_weights
from landscape.checkpoints.contents import content_hash, read_contents
from landscape.checkpoints.fit import DEFAULT_ADVICE, find_problems, fit_weights
from landscape.checkpoints.foreign.hugging_face import converted_names
from landscape.checkpoints.foreign.jax_npz import (
    JAX_MODEL_ARGUMENTS,
    convert_jax_parameters,
    count_heads,
    is_jax_checkpoint,
)
from landscape.checkpoints.foreign.shards import describe_folder, weights_in
from landscape.checkpoints.matching import Expected
from landscape.checkpoints.remembered import names_the_same, remembered_model
from landscape.checkpoints.run import CONFIG, EMA, LAST, RELEASED_WEIGHTS, run_of, weights_file
from landscape.checkpoints.run_files.size import refuse_oversized_network
from landscape.checkpoints.trained_models import (
    brings_model,
    hash_weights,
    is_function,
    load_second,
    load_trained,
)
from landscape.errors import InputError
from landscape.models.catalog import ModelSpec, resolve_model
from landscape.models.pretrained_folder import PREFIX, is_pretrained_folder

LOGGER = logging.getLogger(__name__)

# Where landscape-train puts the weights, beside the moving average and the optimizer's state.
_KEY_OF_A_RUN = "model"
_BUILT_AS_TRAINED = "The module has to be built with the sizes of the training"


@dataclass(frozen=True)
class Checkpoint:
    """A model with the weights of a checkpoint.

    Attributes:
        path: The checkpoint file, or the folder of a distributed checkpoint.
        sha256: The hash of its content, in hexadecimal.
        spec: The name and the arguments of the model; of a module that was given, the name of its
            class.
        model: The model.
        weights_key: The key of the weights in the file, with dots for nested keys; empty for the
            top level.
        config: The content of config.json, if the file is part of a run directory.
        is_average: Whether the weights are an average over the training (EMA, SWA, a teacher).
    """

    path: Path
    sha256: str
    spec: ModelSpec
    model: nn.Module
    weights_key: str
    config: dict[str, Any] | None
    is_average: bool = False

    @property
    def architecture(self) -> str:
        """What two checkpoints of one architecture have in common."""
        name = self.spec.name
        if not brings_model(self.path, name):
            return f"{name} {self.spec.arguments}"
        # A name that stands for weights too says nothing about others.
        shapes = [(key, tuple(value.shape)) for key, value in self.model.named_parameters()]
        return f"{type(self.model).__name__} {shapes}"


def load_checkpoint(
    path: str | Path,
    model: str | nn.Module | None = None,
    model_args: Mapping[str, Any] | None = None,
    *,
    facts: Mapping[str, Any] | None = None,
    trust: bool = False,
    weights_key: str = "",
) -> Checkpoint:
    """Load a checkpoint into its model.

    The weights may lie anywhere in the file, and their names may differ from the model's by what
    wrappers such as DataParallel put there. Where several fit, averaged weights (EMA, SWA, a
    teacher) are taken first; a message says which were taken and which others there are.

    Args:
        path: A run directory, a checkpoint in one, any checkpoint file, an index of shards, or a
            folder of torch.distributed.checkpoint; or a model that comes with its weights: a
            folder of Hugging Face, or FILE.py:FUNCTION.
        model: The name of the model. A run remembers its own, which another name overrides and
            the same one allows to run code. Or a module: the weights are copied into it, as by
            ``load_state_dict``, and it keeps its mode, its device and the type of its weights.
        model_args: Arguments of the named model, which override those of the run.
        facts: The data's image_size, channels and num_classes, for sizes that nothing else
            determines.
        trust: Load pickled objects of any type, and a model that a run's config.json names as
            FILE.py:FUNCTION or by a path or address, or an adapter's its base: this runs code.
        weights_key: Where the weights are in the file, with dots for nested keys.

    Raises:
        InputError: The file can't be read, does not fit the model, or would have to be trusted.

    Example:
        >>> torch.save(model.state_dict(), "mine.pt")
        >>> digits = {"image_size": 8, "channels": 1, "num_classes": 10}
        >>> checkpoint = load_checkpoint("mine.pt", "mixer-tiny", {"depth": 1}, facts=digits)
        >>> checkpoint.model.head
        Linear(in_features=48, out_features=10, bias=True)

        Weights of any training script into a network that is there::

            load_checkpoint("epoch=3.ckpt", network)
    """
    given = dict(model_args or {})
    if (model is None or isinstance(model, str)) and brings_model(Path(path), model):
        spec, network = load_trained(Path(path), model, given, facts, trust=trust)
        return Checkpoint(Path(path), hash_weights(network), spec, network, "", None)
    path, config = locate(Path(path))
    if isinstance(model, nn.Module):
        if given:
            raise InputError(f"a {type(model).__name__} is built already and takes no model_args")
        spec = ModelSpec(type(model).__qualname__, {})
    else:
        spec = _spec(model, given, facts, config, path, trust)
        if model is None and not given:
            refuse_oversized_network(spec, path)
    contents = read_contents(path, trust=trust)
    if is_jax_checkpoint(contents):
        if isinstance(model, nn.Module):
            raise InputError(
                f"{path} is a JAX ViT or Mixer checkpoint, whose activation and heads a module "
                "does not tell; give the name of the model (vit-..., mixer-...) instead"
            )
        spec = _as_published(spec, given, count_heads(contents), path)
    network = model if isinstance(model, nn.Module) else spec.build()
    choice = _choose(contents, network, path, weights_key, config)
    if find_problems(network, choice.state):
        name = model if isinstance(model, str) else spec.name
        requested = RequestedModel(name, spec, given, facts or {})
        advice = advise(choice.candidate.weights, contents, network, requested)
        default = _BUILT_AS_TRAINED if isinstance(model, nn.Module) else DEFAULT_ADVICE
        fit_weights(network, choice.state, path, advice=advice or default)
    fit_weights(network, choice.state, path, keep_type=isinstance(model, nn.Module))
    if note := choice.describe():
        LOGGER.info(f"{path}: {note}")
    return Checkpoint(
        path, content_hash(path), spec, network, choice.key, config, choice.is_averaged
    )


def read_weights_file(
    path: str | Path,
    network: nn.Module,
    *,
    trust: bool = False,
    weights_key: str = "",
    spec: ModelSpec | None = None,
) -> Choice:
    """Read the weights of a checkpoint that are a network's, under its names.

    The network is not changed. Weights that don't fit are returned, too: those that come nearest.
    :func:`~landscape.checkpoints.fit.fit_weights` copies them, or says what does not fit.

    Args:
        path: As for :func:`load_checkpoint`.
        network: Its names and shapes say which weights are wanted.
        trust: Load pickled objects of any type, which may run code.
        weights_key: Where the weights are in the file, with dots for nested keys.
        spec: What ``network`` was made from, for a second model that comes with its weights.

    Returns:
        The weights, in ``state``; their key; and in ``describe()`` which ones they are.

    Raises:
        InputError: The file can't be read or holds no weights.

    Example:
        >>> torch.save({"net": model.state_dict()}, "mine.pt")
        >>> choice = read_weights_file("mine.pt", model)
        >>> choice.key, list(choice.state) == list(model.state_dict())
        ('net', True)
    """
    path = Path(path)
    is_pretrained = spec is not None and spec.name.startswith(PREFIX)
    if is_function(path) or (is_pretrained and is_pretrained_folder(path)):
        trained = load_second(path, spec, trust=trust)
        return _choose(trained.state_dict(), network, path, weights_key, None)
    path, config = locate(path)
    return _choose(read_contents(path, trust=trust), network, path, weights_key, config)


def locate(path: Path) -> tuple[Path, dict[str, Any] | None]:
    """Find the checkpoint file, and the config of the run that it belongs to, if it does.

    Raises:
        InputError: There is nothing, or a folder that is neither a run nor holds weights.
    """
    if not path.exists():
        raise InputError(f"no such checkpoint: {path}")
    file: Path | None = path
    if path.is_dir():
        file = weights_file(path)
        if file is None:
            weights = weights_in(path)
            if weights is not None:
                return weights, None
            if not (path / CONFIG).is_file():
                raise InputError(
                    f"{path} is not a run directory: it has no {CONFIG}{describe_folder(path)}"
                )
    run = run_of(path)
    return file or path / LAST, run.read_config() if run else None


def _choose(
    contents: Any, network: nn.Module, path: Path, key: str, config: Mapping[str, Any] | None
) -> Choice:
    if is_jax_checkpoint(contents):
        contents = convert_jax_parameters(contents, path)
    expected = Expected.of(network)
    if config is not None and not key and path.name != RELEASED_WEIGHTS:
        # A run says what it holds, so there is nothing to choose.
        choice = choose_weights(contents, expected, path, _KEY_OF_A_RUN)
        return replace(choice, is_chosen=False, is_average_file=path.name == EMA)
    choice = choose_weights(contents, expected, path, key)
    if not choice.candidate.match.is_complete:
        converted = converted_names(network, choice.candidate.weights.tensors)
        if converted is not None:
            renamed = choose_weights(converted, expected, path)
            return replace(renamed, key=choice.key, is_average_file=choice.is_averaged)
    return choice


def _spec(
    model: str | None,
    given: Mapping[str, Any],
    facts: Mapping[str, Any] | None,
    config: Mapping[str, Any] | None,
    path: Path,
    trust: bool,
) -> ModelSpec:
    """The named model with all its arguments, or that of the run."""
    if isinstance(model, str):
        if config is not None and names_the_same(model, config["model"]["name"]):
            return remembered_model(config, path.parent / CONFIG, model, given, trust=trust)
        return resolve_model(model, given, facts)
    if model is not None:
        raise InputError(
            f"expected the name of a model or a torch.nn.Module, got {_kind_and_name(model)}"
        )
    if config is None:
        raise InputError(f"{path} is not part of a run directory; say what it is with --model")
    return remembered_model(config, path.parent / CONFIG, None, given, trust=trust)


def _kind_and_name(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}; make an instance of it: {value.__name__}(...)"
    return f"{type(value).__name__}"


def _as_published(
    spec: ModelSpec, given: Mapping[str, Any], heads: int | None, path: Path
) -> ModelSpec:
    """The spec of a published JAX checkpoint's model, whose activation is not our default."""
    if spec.name not in ("vit", "mixer"):
        raise InputError(
            f"{path} is a JAX ViT or Mixer checkpoint; --model has to be one of this toolkit's, "
            f"vit-... or mixer-..., got {spec.name}"
        )
    if heads is not None and spec.name == "vit" and spec.arguments.get("heads") != heads:
        raise InputError(
            f"{path} has {heads} attention heads, the model {spec.arguments.get('heads')}; "
            f"pass --model-args heads={heads}"
        )
    return ModelSpec(spec.name, {**spec.arguments, **JAX_MODEL_ARGUMENTS, **given})
