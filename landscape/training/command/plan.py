"""What a command line of landscape-train asks for, or what a run that is continued remembers."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from landscape.checkpoints.run import CONFIG, RunDirectory
from landscape.data.settings import DataSettings
from landscape.errors import InputError
from landscape.models.catalog import ModelSpec, native_image_size
from landscape.runtime.options import from_plain, given_options, to_plain
from landscape.runtime.user_files import is_user_function
from landscape.training.recipes.catalog import Recipe, find_recipe
from landscape.training.settings import TrainSettings


@dataclass(frozen=True)
class Plan:
    """A training: ``model_name`` is what was asked for, ``spec`` what that means for the data."""

    model_name: str
    spec: ModelSpec
    data: DataSettings
    training: TrainSettings
    recipe: str = ""
    source: str = ""

    def config(self) -> dict[str, Any]:
        """The part of config.json that a run is continued from."""
        return {
            "recipe": self.recipe,
            "recipe_source": self.source,
            "model_name": self.model_name,
            "model": {"name": self.spec.name, "arguments": self.spec.arguments},
            "data": to_plain(self.data),
            "training": to_plain(self.training),
        }


def requested_plan(arguments: argparse.Namespace) -> Plan:
    """Flags over the recipe over the defaults.

    Raises InputError for an unknown recipe, and if nothing says which model.
    """
    recipe = find_recipe(arguments.recipe) if arguments.recipe else None
    name = arguments.model or (recipe.model if recipe else "") or None
    given = dict(recipe.model_args) if recipe and recipe.model == name else {}
    given |= dict(arguments.model_args)
    data = _requested_data(arguments, recipe, name)
    training = _requested_training(arguments, recipe, data)
    if name is None:
        name, inherited = _model_of(training.init)
        given = {**inherited, **given}
    spec = ModelSpec(_findable(name), given)
    found = (recipe.name, recipe.source) if recipe else ("", "")
    return Plan(_findable(name), spec, data, training, *found)


def remembered_plan(run: RunDirectory, arguments: argparse.Namespace) -> Plan:
    """The saved settings; flags given again have to agree with them, but for the device."""
    if not run.exists():
        raise InputError(f"nothing to resume: {run.path} holds no run; leave --resume out to start")
    config = run.read_config()
    if not isinstance(config.get("training"), dict) or "model_name" not in config:
        raise InputError(
            f"{run.path / CONFIG} can't be resumed: it has no training or no model_name entry"
        )
    spec = ModelSpec(config["model"]["name"], config["model"]["arguments"])
    data = from_plain(DataSettings, config["data"])
    training = from_plain(TrainSettings, config["training"])

    recipe = find_recipe(arguments.recipe) if arguments.recipe else None
    changes = _changes(to_plain(data), to_plain(_requested_data(arguments, None, None)), arguments)
    asked = to_plain(_requested_training(arguments, None, data))
    changes += _changes(to_plain(training), {**asked, "device": training.device}, arguments)
    if recipe is not None and recipe.name != config.get("recipe", ""):
        changes.append(f"--recipe was {config.get('recipe') or 'none'}, is {recipe.name}")
    if arguments.model is not None and _findable(arguments.model) != config["model_name"]:
        changes.append(f"--model was {config['model_name']}, is {arguments.model}")
    for key, value in dict(arguments.model_args).items():
        if spec.arguments.get(key) != value:
            changes.append(f"--model-args {key} was {spec.arguments.get(key)}, is {value}")
    if changes:
        raise InputError(
            f"{run.path} can't be resumed with other settings: {'; '.join(changes)}. "
            "Leave these flags out, or start anew in another --output-dir"
        )
    # A run may go on elsewhere.
    training = replace(training, device=getattr(arguments, "device", training.device))
    names = [config.get("recipe", ""), config.get("recipe_source", "")]
    return Plan(config["model_name"], spec, data, training, *names)


def _requested_data(
    arguments: argparse.Namespace, recipe: Recipe | None, model: str | None
) -> DataSettings:
    chosen = dict(recipe.data) if recipe else {}
    given = given_options(arguments, DataSettings)
    if "data" in given and chosen.get("data") != given["data"]:
        chosen = {}  # sizes and colours of other data
    data = DataSettings(**{**chosen, **given})
    folder = str(Path(data.data_dir).resolve()) if data.data_dir else ""
    size = data.image_size
    if data.data == "imagefolder" and not size:
        size = native_image_size(model)
    return replace(data, data=_findable(data.data), data_dir=folder, image_size=size)


def _requested_training(
    arguments: argparse.Namespace, recipe: Recipe | None, data: DataSettings
) -> TrainSettings:
    """The settings with every default that depends on others filled in."""
    given = given_options(arguments, TrainSettings)
    chosen = dict(recipe.training) if recipe else {}
    if "opt" in given and given["opt"] != chosen.get("opt"):
        for name in ("lr", "weight_decay"):  # of another optimizer
            chosen.pop(name, None)
    if "warmup_epochs" in given:
        chosen.pop("warmup_steps", None)
    training = TrainSettings(**{**chosen, **given})
    augment = training.augment
    if augment == "auto":
        has_pictures = data.data in ("imagefolder", "cifar10", "cifar100")
        augment = "crop-flip" if has_pictures else "none"
    init = str(Path(training.init).resolve()) if training.init else ""
    return replace(
        training, lr=training.peak_lr, weight_decay=training.decay, augment=augment, init=init
    )


def _model_of(checkpoint: str) -> tuple[str, dict[str, Any]]:
    """The model that a run says it is of, without the sizes that data say."""
    if not checkpoint:
        raise InputError(
            "--model is required, such as --model vit-tiny; or a --recipe, or the --init run that "
            "it is to continue"
        )
    run = RunDirectory(Path(checkpoint) if Path(checkpoint).is_dir() else Path(checkpoint).parent)
    if not run.exists():
        raise InputError(f"{checkpoint} is not part of a run: say what it is with --model")
    config = run.read_config()
    arguments: Mapping[str, Any] = config["model"]["arguments"]
    facts = config.get("data_facts", {})
    return config["model"]["name"], {k: v for k, v in arguments.items() if k not in facts}


def _changes(
    saved: Mapping[str, Any], asked: Mapping[str, Any], arguments: argparse.Namespace
) -> list[str]:
    """The flags that were given and differ from what was saved."""
    return [
        f"--{key.replace('_', '-')} was {saved[key]}, is {asked[key]}"
        for key in saved
        if hasattr(arguments, key) and saved[key] != asked[key]
    ]


def _findable(name: str) -> str:
    """A name as a run has to remember it: FILE.py:FUNCTION with the whole path."""
    if not is_user_function(name):
        return name
    path, _, function = name.rpartition(":")
    return f"{Path(path).resolve()}:{function}"
