"""The plan of a training: from the command line, or from the run that is resumed."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from landscape.checkpoints.remembered import (
    names_the_same,
    remembered_data,
    remembered_model,
)
from landscape.checkpoints.run import CONFIG, RunDirectory
from landscape.checkpoints.run_files.config import damage_told
from landscape.data.settings import DataSettings
from landscape.errors import InputError
from landscape.models.catalog import ModelSpec
from landscape.models.names import native_image_size
from landscape.models.stored_names import effect_of_name
from landscape.runtime.options import from_plain, given_options, to_plain
from landscape.runtime.user_files import absolute_name
from landscape.training.recipes.catalog import Recipe, find_recipe
from landscape.training.sam.settings import ALPHA
from landscape.training.settings import TrainSettings

# Settings that the config.json of every version has; later ones have their defaults without.
_ALWAYS_STORED = ("opt", "epochs", "batch_size", "lr", "weight_decay", "schedule", "rho", "seed")


@dataclass(frozen=True)
class Plan:
    """All that determines a training.

    Attributes:
        model_name: What ``--model`` named.
        spec: The family and all arguments of the model.
        data: The data settings.
        training: The training settings, with every default filled in.
        recipe: The name of the recipe, if there is one.
        source: The source of the recipe.
    """

    model_name: str
    spec: ModelSpec
    data: DataSettings
    training: TrainSettings
    recipe: str = ""
    source: str = ""

    def config(self) -> dict[str, Any]:
        """The part of config.json that a run is resumed from."""
        return {
            "recipe": self.recipe,
            "recipe_source": self.source,
            "model_name": self.model_name,
            "model": {"name": self.spec.name, "arguments": self.spec.arguments},
            "data": to_plain(self.data),
            "training": to_plain(self.training),
        }


def requested_plan(arguments: argparse.Namespace) -> Plan:
    """The plan of a command line: its flags override the recipe, which overrides the defaults.

    Raises:
        InputError: The recipe is unknown, or the model is not given.
    """
    recipe = find_recipe(arguments.recipe) if arguments.recipe else None
    name = arguments.model or (recipe.model if recipe else "") or None
    model_args = dict(recipe.model_args) if recipe and recipe.model == name else {}
    model_args |= dict(arguments.model_args)
    data = _requested_data(arguments, recipe, name)
    training = _requested_training(arguments, recipe, data)
    if name is None or (training.init and effect_of_name(name)):
        name, model_args = _model_of(training.init, name, model_args, trust=arguments.trust)
    name = absolute_name(name)
    recipe_name, source = (recipe.name, recipe.source) if recipe else ("", "")
    return Plan(name, ModelSpec(name, model_args), data, training, recipe_name, source)


def remembered_plan(run: RunDirectory, arguments: argparse.Namespace) -> Plan:
    """The plan of a run that is resumed.

    Raises:
        InputError: There is no such run, it can't be read, a flag other than ``--device`` differs
            from its settings, or it names what may run code and the command line does not.
    """
    if not run.exists():
        raise InputError(f"nothing to resume: {run.path} holds no run; leave --resume out to start")
    config = run.read_config()
    run.read_metrics()  # which a resumed run writes again: a damaged one is not replaced unseen
    if "training" not in config or "model_name" not in config:
        raise InputError(
            f"{run.path / CONFIG} can't be resumed: it has no training or no model_name entry"
        )
    spec = ModelSpec(config["model"]["name"], config["model"]["arguments"])
    data = from_plain(DataSettings, config["data"])
    with damage_told(run.path / CONFIG):
        missing = [name for name in _ALWAYS_STORED if name not in config["training"]]
        if missing:
            raise InputError(f"training has no {', '.join(missing)}")
        training = from_plain(TrainSettings, _as_trained(config["training"]), "training")

    recipe = find_recipe(arguments.recipe) if arguments.recipe else None
    requested_data = _requested_data(arguments, None, None)
    changes = _changes(to_plain(data), to_plain(requested_data), arguments)
    requested = to_plain(_requested_training(arguments, None, data))
    changes += _changes(to_plain(training), {**requested, "device": training.device}, arguments)
    if recipe is not None and recipe.name != config.get("recipe", ""):
        changes.append(f"--recipe was {config.get('recipe') or 'none'}, is {recipe.name}")
    if arguments.model is not None and absolute_name(arguments.model) != config["model_name"]:
        changes.append(f"--model was {config['model_name']}, is {arguments.model}")
    for key, value in dict(arguments.model_args).items():
        if spec.arguments.get(key) != value:
            changes.append(f"--model-args {key} was {spec.arguments.get(key)}, is {value}")
    if changes:
        raise InputError(
            f"{run.path} can't be resumed with other settings: {'; '.join(changes)}. "
            "Leave these flags out, or start anew in another --output-dir"
        )
    file, trust = run.path / CONFIG, arguments.trust
    spec = remembered_model(config, file, arguments.model, dict(arguments.model_args), trust=trust)
    given = {key: getattr(requested_data, key) for key in given_options(arguments, DataSettings)}
    data = remembered_data(config, file, given, trust=trust)
    # A run may be resumed on another device.
    training = replace(training, device=getattr(arguments, "device", training.device))
    recipe_name, source = config.get("recipe", ""), config.get("recipe_source", "")
    return Plan(config["model_name"], spec, data, training, recipe_name, source)


def _as_trained(training: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings with what they meant when ASAM scaled every weight and GSAM's α was 0.4."""
    if "sam_scaled" in training:
        return dict(training)
    alpha = training.get("sam_alpha")
    if alpha is None and training.get("sam") == "gsam":
        alpha = 0.4
    return {**training, "sam_scaled": "all", "sam_alpha": alpha}


def _requested_data(
    arguments: argparse.Namespace, recipe: Recipe | None, model: str | None
) -> DataSettings:
    """The data settings, with absolute paths and the image size of the model."""
    from_recipe = dict(recipe.data) if recipe else {}
    given = given_options(arguments, DataSettings)
    if "data" in given and from_recipe.get("data") != given["data"]:
        from_recipe = {}  # sizes and colours of other data
    data = DataSettings(**{**from_recipe, **given})
    folder = str(Path(data.data_dir).resolve()) if data.data_dir else ""
    size = data.image_size
    if data.data == "imagefolder" and not size:
        size = native_image_size(model)
    return replace(data, data=absolute_name(data.data), data_dir=folder, image_size=size)


def _requested_training(
    arguments: argparse.Namespace, recipe: Recipe | None, data: DataSettings
) -> TrainSettings:
    """The training settings, with every default that depends on others filled in."""
    given = given_options(arguments, TrainSettings)
    from_recipe = dict(recipe.training) if recipe else {}
    if "opt" in given and given["opt"] != from_recipe.get("opt"):
        for name in ("lr", "weight_decay"):  # of another optimizer
            from_recipe.pop(name, None)
    if "warmup_epochs" in given:
        from_recipe.pop("warmup_steps", None)
    training = TrainSettings(**{**from_recipe, **given})
    augment = training.augment
    if augment == "auto":
        has_pictures = data.data in ("imagefolder", "cifar10", "cifar100")
        augment = "crop-flip" if has_pictures else "none"
    init = str(Path(training.init).resolve()) if training.init else ""
    alpha = ALPHA.get(training.sam) if training.sam_alpha is None else training.sam_alpha
    return replace(
        training,
        lr=training.peak_lr,
        weight_decay=training.decay,
        augment=augment,
        init=init,
        sam_alpha=alpha,
    )


def _model_of(
    checkpoint: str, name: str | None, model_args: Mapping[str, Any], *, trust: bool
) -> tuple[str, dict[str, Any]]:
    """The model of the run that ``checkpoint`` belongs to, without sizes that follow from data.

    Where ``name`` is another model, it is that one with its own arguments.
    """
    if not checkpoint:
        raise InputError(
            "--model is required, such as --model vit-tiny; or pass a --recipe, or an --init run, "
            "whose model it then is"
        )
    run = RunDirectory(Path(checkpoint) if Path(checkpoint).is_dir() else Path(checkpoint).parent)
    if name is not None and not run.exists():
        return name, dict(model_args)
    if not run.exists():
        raise InputError(f"{checkpoint} is not part of a run; say what it is with --model")
    config = run.read_config()
    saved = config["model"]
    if name is not None and not names_the_same(name, saved["name"]):
        return name, dict(model_args)
    facts = config.get("data_facts", {})
    kept = {key: value for key, value in saved["arguments"].items() if key not in facts}
    model = {"model": {**saved, "arguments": kept}}
    spec = remembered_model(model, run.path / CONFIG, name, model_args, trust=trust)
    return spec.name, spec.arguments


def _changes(
    saved: Mapping[str, Any], requested: Mapping[str, Any], arguments: argparse.Namespace
) -> list[str]:
    """The flags that were given and differ from the saved settings, in words."""
    return [
        f"--{key.replace('_', '-')} was {saved[key]}, is {requested[key]}"
        for key in saved
        if hasattr(arguments, key) and saved[key] != requested[key]
    ]
