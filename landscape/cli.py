"""The command ``landscape-train``: train a network, with or without SAM, into a run directory."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from landscape.checkpoints.run import BEST, CONFIG, EPOCHS, LAST, METRICS, RunDirectory
from landscape.console import Parser, add_console_options, run_command, show
from landscape.data.catalog import DataSettings, data_facts, load_data
from landscape.data.samples import Samples, TensorSamples, check_targets, count_classes
from landscape.devices import resolve_device
from landscape.errors import InputError
from landscape.files import make_directory
from landscape.models.catalog import ModelSpec, native_image_size, resolve_model
from landscape.models.probe import count_outputs
from landscape.options import (
    add_options,
    argument_type,
    from_plain,
    key_value,
    read_options,
    to_plain,
)
from landscape.progress import message
from landscape.provenance import git_commit, now, versions
from landscape.training.loop import train
from landscape.training.settings import TrainSettings
from landscape.userfile import is_user_function

EXAMPLES = """\
examples:
  landscape-train --model vit-tiny --data digits --output-dir checkpoints/digits-vit
  landscape-train --model vit-tiny --data digits --rho 0.1 --output-dir checkpoints/digits-vit-sam
  landscape-train --resume --output-dir checkpoints/digits-vit
  landscape-train --model resnet-tiny --data imagefolder --data-dir pictures --opt sgd \\
                  --output-dir checkpoints/pictures-resnet
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return run_command(
        _train_command,
        build_parser(),
        argv,
        when_interrupted="the same command with --resume continues after the last finished epoch",
    )


def build_parser() -> Parser:
    """The flags of landscape-train."""
    parser = Parser(
        prog="landscape-train",
        description="Train a ViT, MLP-Mixer, ResNet or a model of your own, with or without "
        "sharpness-aware minimisation (SAM).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--output-dir", required=True, type=Path, metavar="RUN", help="the run directory to write"
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue the run that is in RUN; needs no other flag"
    )
    parser.add_argument("--force", action="store_true", help="replace the run that is in RUN")
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        metavar="NAME",
        help="vit-tiny, mixer-tiny, resnet-tiny, vit-s16, vit-s32, vit-b16, vit-b32, mixer-s16, "
        "mixer-s32, mixer-b16, mixer-b32, resnet50, resnet101, resnet152; vit, mixer or resnet "
        "with every size in --model-args; timm:NAME; or FILE.py:FUNCTION",
    )
    model.add_argument(
        "--model-args",
        nargs="+",
        type=argument_type(key_value),
        default=[],
        metavar="KEY=VALUE",
        help="sizes and options of the model, such as depth=6 dropout=0.1",
    )
    add_options(parser.add_argument_group("data"), DataSettings)
    add_options(parser.add_argument_group("training"), TrainSettings)
    add_console_options(parser)
    return parser


def _train_command(arguments: argparse.Namespace) -> None:
    run = RunDirectory(arguments.output_dir)
    if arguments.resume and arguments.force:
        raise InputError("--resume and --force exclude each other")
    if arguments.resume:
        spec, data, training = _resumed(run, arguments)
    else:
        _refuse_to_overwrite(run, arguments.force)
        spec, data = _requested_model(arguments), _requested_data(arguments)
        training = _requested_training(arguments, data)
    train_samples, val_samples = load_data(data, "train"), load_data(data, "test")
    if count_classes(train_samples) is None:
        raise InputError("landscape-train needs targets that are class numbers")

    torch.manual_seed(training.seed)
    facts = data_facts(train_samples)
    if not arguments.resume:
        spec = resolve_model(spec.name, spec.arguments, facts, fit_to_data=True)
    model = spec.build()
    num_outputs = count_outputs(model, train_samples.fetch(torch.zeros(1, dtype=torch.int64)))
    if num_outputs is None:
        raise InputError("landscape-train needs a model that returns logits (N, classes)")
    check_targets(train_samples, num_outputs, "the training data")
    check_targets(val_samples, num_outputs, "the validation data")

    # Before anything is replaced:
    resolve_device(training.device)
    if training.augment == "crop-flip" and len(train_samples.input_shape) != 3:
        raise InputError(
            f"--augment crop-flip is for pictures, not for inputs of shape "
            f"{train_samples.input_shape}"
        )
    if _are_the_same(train_samples, val_samples):
        message(f"{data.data} gives the same samples for training and validation; take split=")
    make_directory(run.path)
    if not arguments.resume:
        run.clear()
        model_name = _findable(arguments.model)
        run.write_config(_config(model_name, spec, data, training, model, facts))
    name = run.read_config()["model_name"]
    rows = train(
        model, train_samples, val_samples, training, run, resume=arguments.resume, name=name
    )
    last = rows[-1]
    show(
        f"{run.path}: epoch {int(last['epoch'])}, train loss {last['train_loss']:.4f}, "
        f"val loss {last['val_loss']:.4f}, val accuracy {last['val_accuracy']:.2f}%"
    )


def _are_the_same(one: Samples, other: Samples) -> bool:
    if not isinstance(one, TensorSamples) or not isinstance(other, TensorSamples):
        return False
    return torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)


def _requested_model(arguments: argparse.Namespace) -> ModelSpec:
    if arguments.model is None:
        raise InputError("--model is required, such as --model vit-tiny")
    return ModelSpec(_findable(arguments.model), dict(arguments.model_args))


def _requested_data(arguments: argparse.Namespace) -> DataSettings:
    data = read_options(arguments, DataSettings)
    folder = str(Path(data.data_dir).resolve()) if data.data_dir else ""
    size = data.image_size
    if data.data == "imagefolder" and not size:
        size = native_image_size(arguments.model)
    return replace(data, data=_findable(data.data), data_dir=folder, image_size=size)


def _requested_training(arguments: argparse.Namespace, data: DataSettings) -> TrainSettings:
    """The settings with every default that depends on others filled in."""
    training = read_options(arguments, TrainSettings)
    augment = training.augment
    if augment == "auto":
        augment = "crop-flip" if data.data == "imagefolder" else "none"
    return replace(training, lr=training.peak_lr, weight_decay=training.decay, augment=augment)


def _resumed(
    run: RunDirectory, arguments: argparse.Namespace
) -> tuple[ModelSpec, DataSettings, TrainSettings]:
    """The saved settings; flags given again have to agree with them."""
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

    changes = _changes(to_plain(data), to_plain(_requested_data(arguments)), arguments)
    asked = to_plain(_requested_training(arguments, data))
    changes += _changes(to_plain(training), {**asked, "device": training.device}, arguments)
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
    return spec, data, replace(training, device=getattr(arguments, "device", training.device))


def _changes(
    saved: Mapping[str, Any], asked: Mapping[str, Any], arguments: argparse.Namespace
) -> list[str]:
    """The flags that were given and differ from what was saved."""
    return [
        f"--{key.replace('_', '-')} was {saved[key]}, is {asked[key]}"
        for key in saved
        if hasattr(arguments, key) and saved[key] != asked[key]
    ]


def _refuse_to_overwrite(run: RunDirectory, force: bool) -> None:
    if force or not run.path.exists():
        return
    held = [name for name in (CONFIG, LAST, BEST, METRICS) if (run.path / name).exists()]
    if run.epochs():
        held.append(EPOCHS)
    if held:
        raise InputError(
            f"{run.path} already holds a run ({', '.join(held)}); continue it with --resume, "
            "replace it with --force, or choose another --output-dir"
        )


def _config(
    model_name: str,
    spec: ModelSpec,
    data: DataSettings,
    training: TrainSettings,
    model: torch.nn.Module,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "model_name": model_name,
        "model": {"name": spec.name, "arguments": spec.arguments},
        "num_parameters": sum(p.numel() for p in model.parameters()),
        "data": to_plain(data),
        "data_facts": dict(facts),
        "training": to_plain(training),
        "versions": versions(),
        "git_commit": git_commit(),
        "created": now(),
    }


def _findable(name: str) -> str:
    """A name as a run has to remember it: FILE.py:FUNCTION with the whole path."""
    if not is_user_function(name):
        return name
    path, _, function = name.rpartition(":")
    return f"{Path(path).resolve()}:{function}"
