"""The recipes that ``--recipe`` knows, made from the TOML files beside this module.

The file of a data set has the tables ``common``, ``family.NAME``, ``model.NAME`` and
``variant.NAME``. A recipe is a model, alone or with a variant; its settings are those of common,
overridden by its family's, overridden by the variant's. ``transfer.toml`` has a table for each
recipe.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

import torch

from landscape.errors import InputError
from landscape.models.catalog import resolve_model
from landscape.training.settings import TrainSettings

# The data sets that recipes are for, in the order in which they are listed.
DATA_SETS = ("digits", "cifar10", "imagenet")
TRANSFER = "transfer"


@dataclass(frozen=True)
class Recipe:
    """Settings of a training by name.

    Attributes:
        name: The name of the recipe.
        model: What ``--model`` would be; empty for a recipe that starts from a checkpoint.
        model_args: What ``--model-args`` would be.
        data: Data settings that differ from the defaults, by name.
        training: Training settings that differ from the defaults, by name.
        source: Where the settings come from, and how certain they are.
    """

    name: str
    model: str
    model_args: Mapping[str, Any]
    data: Mapping[str, Any]
    training: Mapping[str, Any]
    source: str


@cache
def recipes() -> dict[str, Recipe]:
    """All recipes by name."""
    of_models = [recipe for data_set in DATA_SETS for recipe in _of_models(data_set)]
    return {recipe.name: recipe for recipe in [*of_models, *_transfers()]}


def find_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        InputError: There is none; the message says what may have been meant.
    """
    known = recipes()
    if name not in known:
        close = get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise InputError(f"unknown recipe {name!r}; {hint}--list-recipes names them all")
    return known[name]


def recipe_table() -> str:
    """A table of all recipes with their main settings and sources, as text."""
    rows = [("recipe", "params", "opt", "lr", "decay", "batch", "epochs", "rho", "source")]
    sources: dict[str, int] = {}
    for recipe in recipes().values():
        settings = TrainSettings(**recipe.training)
        number = sources.setdefault(recipe.source, len(sources) + 1)
        rows.append(
            (
                recipe.name,
                _parameters(recipe),
                settings.opt,
                f"{settings.peak_lr:g}",
                f"{settings.decay:g}",
                str(settings.batch_size),
                str(settings.epochs),
                f"{settings.rho:g}" if settings.rho else "-",
                f"[{number}]",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if k in (0, 2, 8) else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    notes = [f"[{number}] {text}" for text, number in sources.items()]
    return "\n".join([*lines, "", *notes])


def _of_models(data_set: str) -> Iterator[Recipe]:
    """The recipes of the models and variants in a data set's file."""
    tables = _read(data_set)
    variants: dict[str, dict[str, Any]] = {"": {}, **tables["variant"]}
    for model, row in tables["model"].items():
        for variant, changes in variants.items():
            if model not in changes.get("models", [model]):
                continue
            layers = [tables["common"], tables["family"][row["family"]], changes]
            training: dict[str, Any] = {}
            model_args: dict[str, Any] = {}
            for layer in layers:
                training |= {key: layer[key] for key in layer if key in _TRAINING}
                model_args |= layer.get("model_args", {})
            general = tables["common"]["sources"]
            sources = [general["settings"]]
            sources += [layer["source"] for layer in layers if "source" in layer]
            if "rho_from" in changes:
                sources += [general["perturbation"]] if "perturbation" in general else []
                share = changes.get("rho_share", 1.0)
                training["rho"] = row.get(changes["rho_from"], share * row["rho"])
                if changes["rho_from"] == "rho" and "rho_source" in row:
                    sources.append(f"rho: {row['rho_source']}")
            name = "-".join(filter(None, [model, data_set, variant]))
            data = _plain(tables["common"]["data"])
            yield Recipe(name, model, model_args, data, _plain(training), "; ".join(sources))


def _transfers() -> Iterator[Recipe]:
    """The recipes that start from a checkpoint."""
    tables = _read(TRANSFER)
    common = tables["common"]
    for name, row in tables["recipe"].items():
        merged = {**common, **row}
        training = {key: merged[key] for key in merged if key in _TRAINING}
        source = row.get("source", common["sources"]["settings"])
        data = _plain({**common["data"], **row["data"]})
        yield Recipe(name, "", {}, data, _plain(training), source)


_TRAINING = {field.name for field in fields(TrainSettings)}


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text())


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with lists turned into tuples, as dataclasses have them."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()}


def _parameters(recipe: Recipe) -> str:
    """The number of parameters, in millions."""
    if not recipe.model:
        return "-"
    return f"{_count(recipe.model) / 1e6:.3g} M"


@cache
def _count(model: str) -> int:
    """The number of parameters at the sizes of the name; for small models, those for CIFAR-10."""
    facts = {"image_size": 32, "channels": 3, "num_classes": 10}
    with torch.device("meta"):
        network = resolve_model(model, {}, facts).build()
    return sum(p.numel() for p in network.parameters())
