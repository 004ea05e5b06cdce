"""What ``landscape-train`` does once its command line is parsed."""

import argparse
import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from landscape.checkpoints.replicates import replicate_runs
from landscape.checkpoints.run import LAST, RunDirectory
from landscape.checkpoints.run_files.size import refuse_oversized_network
from landscape.checkpoints.transfer import transfer_weights
from landscape.data.catalog import data_facts, load_data
from landscape.data.samples import (
    Samples,
    TensorSamples,
    balanced_share,
    check_targets,
    count_classes,
)
from landscape.data.settings import DataSettings
from landscape.errors import InputError
from landscape.models.catalog import ModelSpec, resolve_model
from landscape.models.probe import count_outputs, find_classifier
from landscape.models.stored_names import effect_of_name
from landscape.results.files import unused_directories_removed
from landscape.results.lock import locked
from landscape.results.provenance import git_commit, now, versions
from landscape.runtime.console import show
from landscape.runtime.devices import resolve_device
from landscape.runtime.distributed import Ranks, join_ranks
from landscape.runtime.options import given_options
from landscape.runtime.progress import show_messages
from landscape.runtime.user_files import is_user_function
from landscape.training.augmentation.augment import Augmentation
from landscape.training.command.outcome import show_result, show_spread
from landscape.training.command.plan import Plan
from landscape.training.command.runs import RequestedRun, requested_directories, requested_runs
from landscape.training.final_evaluation import FinalEvaluation
from landscape.training.interruption import StopRequest, StopRequested, stop_requests
from landscape.training.loop import train
from landscape.training.prepare import need_training_memory
from landscape.training.sam.ascent import names_in_scope
from landscape.training.sam.sharp_gradient import names_to_scale
from landscape.training.scale.data_parallel import join_data_parallel_group

LOGGER = logging.getLogger(__name__)

# The key in config.json of m, the number of samples that share a perturbation of SAM.
PERTURBATION = "samples_per_perturbation"


def train_command(arguments: argparse.Namespace) -> None:
    """Train as the command line says, and print the results; a request to stop is no error.

    Raises:
        LandscapeError: The input is wrong, the training diverged, or a file can't be written.
    """
    is_rank = os.environ.get("WORLD_SIZE", "1") != "1"
    with stop_requests(ends_process=is_rank) as request:
        try:
            _train(arguments, request)
        except StopRequested as stop:
            folder: Path = arguments.output_dir
            if RunDirectory(folder).exists() or replicate_runs(folder):
                words = ["landscape-train", "--resume", *_names_given(arguments)]
                what = f"saved; continue with: {shlex.join(words)} --output-dir {folder}"
            else:
                what = "nothing was trained yet; the same command starts again"
            if os.environ.get("RANK", "0") == "0":
                show(f"{stop}: {what}")


def _names_given(arguments: argparse.Namespace) -> list[str]:
    """The flags that a run may need to be resumed: they allow what its config.json names."""
    given = given_options(arguments, DataSettings)
    is_own_data = is_user_function(given.get("data", ""))
    named = {
        "--model": arguments.model if effect_of_name(arguments.model or "") else None,
        "--data": given.get("data") if is_own_data else None,
        "--data-dir": given.get("data_dir") if is_own_data else None,
        "--init": getattr(arguments, "init", None),
    }
    words = [word for flag, value in named.items() if value for word in (flag, value)]
    return [*words, "--trust"] if arguments.trust else words


def _train(arguments: argparse.Namespace, request: StopRequest) -> None:
    ranks = join_ranks()
    if not ranks.is_first:
        show_messages(quiet=True)
    with ExitStack() as locks:
        for directory in requested_directories(arguments):
            locks.enter_context(unused_directories_removed(directory.path))
            locks.enter_context(locked(directory.path, ranks=ranks))
        _train_alone(arguments, request, ranks)


def _train_alone(arguments: argparse.Namespace, request: StopRequest, ranks: Ranks) -> None:
    """Train every run, under the locks of all of them."""
    runs = requested_runs(arguments, ranks)
    data = runs[0].plan.data
    training, validation = load_data(data, "train"), load_data(data, "test")
    if count_classes(training) is None:
        raise InputError(
            "landscape-train needs targets that are class numbers (integers), got "
            f"{training.targets.dtype} of shape {tuple(training.targets.shape)}"
        )
    spec, model = _make_model(runs[0], training, validation, trust=arguments.trust)
    runs = [replace(run, plan=replace(run.plan, spec=spec)) for run in runs]

    # Everything is checked before anything is replaced.
    settings = runs[0].plan.training
    device = resolve_device(settings.device)
    need_training_memory(model, training, settings, device)
    Augmentation(settings, training, settings.seed)
    if settings.rho:
        names_in_scope(model, settings.sam_scope)
        names_to_scale(model, settings)
    _evaluation(runs[0], model, validation, device).check(arguments.eval)
    if _are_the_same(training, validation):
        LOGGER.info(
            f"{data.data} gives the same samples for training and validation; a parameter called "
            "split tells its function which to give"
        )
    if ranks.is_first:
        for run in runs:
            _begin(run, model, training, ranks.world_size)
    last_rows = []
    for number, run in enumerate(runs):
        if number:
            _, model = _make_model(run, training, validation, trust=arguments.trust)
        with join_data_parallel_group(ranks.within(f"run/{number}"), device) as group:
            rows = train(
                model,
                training,
                validation,
                run.plan.training,
                run.directory,
                resume=run.resumes,
                name=run.plan.recipe or run.plan.model_name,
                group=group,
                request=request,
            )
        last_rows.append(rows[-1])
        if ranks.is_first:
            if arguments.eval:
                evaluation = _evaluation(run, model, validation, device)
                _evaluate(evaluation, arguments.eval, run.directory)
            show_result(run.directory, rows[-1])
        if number + 1 < len(runs):
            # The next run's processes meet within minutes; an evaluation of this may take hours.
            ranks.broadcast(f"run/{number}/evaluated")
    if ranks.is_first and len(runs) > 1:
        show_spread(arguments.output_dir, last_rows)


def _begin(run: RequestedRun, model: nn.Module, training: Samples, processes: int) -> None:
    """Write what a run is resumed from, in place of any run that was there."""
    config = _config(run.plan, model, training, processes)
    if run.resumes:
        _tell_of_other_perturbations(run.directory.read_config(), config)
    else:
        run.directory.clear()
        run.directory.write_config(config)


def _make_model(
    run: RequestedRun, training: Samples, validation: Samples, *, trust: bool
) -> tuple[ModelSpec, nn.Module]:
    """Make the model that fits the data, with the weights that training starts from.

    Returns:
        What the model is made from, with all its arguments, and the model.

    Raises:
        InputError: The model, the data or the ``--init`` checkpoint don't fit each other.
    """
    plan = run.plan
    torch.manual_seed(plan.training.seed)
    spec = plan.spec
    if not run.resumes:
        spec = resolve_model(spec.name, spec.arguments, data_facts(training), fit_to_data=True)
    if run.has_weights:
        refuse_oversized_network(spec, run.directory.path / LAST)
    model = spec.build()
    # Only the head's weights need be trainable with --train head, which unfreezes them itself.
    weights = list(model.parameters())
    if not any(w.requires_grad or plan.training.train == "head" for w in weights):
        raise InputError(
            f"--model {plan.model_name} has no parameter that can be trained (of "
            f"{len(weights)}, none has requires_grad)"
        )
    example = training.fetch(torch.zeros(1, dtype=torch.int64))
    num_outputs = count_outputs(model, example, is_within=False)
    if num_outputs is None:
        raise InputError(
            "landscape-train needs a model that returns logits (N, classes), a single tensor, "
            f"which {plan.model_name} does not"
        )
    check_targets(training, num_outputs, "the training data")
    check_targets(validation, num_outputs, "the validation data")
    init = plan.training.init
    if init and not run.has_weights:
        head = find_classifier(model, example)
        for change in transfer_weights(
            model, head, Path(init), weights_key=plan.training.weights_key, trust=trust
        ):
            LOGGER.info(f"{init}: {change}")
    return spec, model


def _are_the_same(training: Samples, validation: Samples) -> bool:
    if not isinstance(training, TensorSamples) or not isinstance(validation, TensorSamples):
        return False
    return torch.equal(training.inputs, validation.inputs) and torch.equal(
        training.targets, validation.targets
    )


def _config(plan: Plan, model: nn.Module, training: Samples, processes: int) -> dict[str, Any]:
    """The content of config.json."""
    settings = plan.training
    count = len(training)
    if settings.train_fraction < 1:
        count = len(balanced_share(training.targets, settings.train_fraction, settings.seed))
    batch_size = min(settings.batch_size, count)
    m = settings.samples_per_perturbation(batch_size, processes) if settings.rho else None
    return {
        **plan.config(),
        "num_parameters": sum(p.numel() for p in model.parameters()),
        "data_facts": dict(data_facts(training)),
        "processes": processes,
        PERTURBATION: m,
        "versions": versions(),
        "git_commit": git_commit(),
        "created": now(),
    }


def _tell_of_other_perturbations(saved: Mapping[str, Any], present: Mapping[str, Any]) -> None:
    """Say so if SAM's perturbations are shared by another number of samples than before."""
    before, after = saved.get(PERTURBATION), present[PERTURBATION]
    if before is not None and before != after:
        LOGGER.info(
            f"{after} samples share a perturbation of SAM from here on, {before} did before, "
            f"because the run goes on with {present['processes']} processes instead of "
            f"{saved.get('processes')}"
        )


def _evaluation(
    run: RequestedRun, model: nn.Module, validation: Samples, device: torch.device
) -> FinalEvaluation:
    """What evaluates a model of the run on further sets."""
    settings = run.plan.training
    return FinalEvaluation(
        model,
        validation,
        device,
        validation.input_shape[-1],
        run.plan.data.crop,
        settings.attack / 255,
        settings.seed,
    )


def _evaluate(evaluation: FinalEvaluation, words: Sequence[str], run: RunDirectory) -> None:
    """Write the accuracies on further sets, and print a line for each."""
    scores = evaluation.scores(words)
    run.write_evaluation(scores)
    for name, score in scores.items():
        accuracy, error = score["accuracy"], score["standard_error"]
        mean = f", the mean of {len(score['sets'])} sets" if "sets" in score else ""
        show(f"{run.path}: {name}: accuracy {accuracy:.2f}% +- {error:.2f}{mean}")
