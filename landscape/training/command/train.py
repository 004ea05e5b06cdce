"""What ``landscape-train`` does once its command line is parsed."""

import argparse
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from landscape.checkpoints.run import BEST, CONFIG, EPOCHS, LAST, METRICS, RunDirectory
from landscape.checkpoints.transfer import transfer_weights
from landscape.data.catalog import data_facts, load_data
from landscape.data.samples import (
    Samples,
    TensorSamples,
    balanced_share,
    check_targets,
    count_classes,
)
from landscape.errors import InputError
from landscape.models.catalog import resolve_model
from landscape.models.probe import count_outputs, find_classifier
from landscape.results.files import make_directory
from landscape.results.provenance import git_commit, now, versions
from landscape.runtime.console import show
from landscape.runtime.devices import resolve_device
from landscape.runtime.distributed import Ranks, join_ranks
from landscape.runtime.progress import show_messages
from landscape.training.augmentation.augment import Augmentation
from landscape.training.command.plan import Plan, remembered_plan, requested_plan
from landscape.training.final_evaluation import FinalEvaluation
from landscape.training.interruption import StopRequest, StopRequested, stop_requests
from landscape.training.loop import train
from landscape.training.sam.ascent import names_in_scope
from landscape.training.scale.data_parallel import join_data_parallel_group
from landscape.training.state import Row

LOGGER = logging.getLogger(__name__)

# The key in config.json of m, the number of samples that share a perturbation of SAM.
PERTURBATION = "samples_per_perturbation"


def train_command(arguments: argparse.Namespace) -> None:
    """Train as the command line says, and print the result; a request to stop is no error.

    Raises:
        LandscapeError: The input is wrong, the training diverged, or a file can't be written.
    """
    with stop_requests() as request:
        try:
            _train(arguments, request)
        except StopRequested as stop:
            run = RunDirectory(arguments.output_dir)
            if (run.path / LAST).is_file():
                what = f"saved; continue with: landscape-train --resume --output-dir {run.path}"
            else:
                what = "nothing was trained yet; the same command starts again"
            if os.environ.get("RANK", "0") == "0":
                show(f"{stop}: {what}")


def _train(arguments: argparse.Namespace, request: StopRequest) -> None:
    ranks = join_ranks()
    if not ranks.is_first:
        show_messages(quiet=True)
    run = RunDirectory(arguments.output_dir)
    if arguments.resume and arguments.force:
        raise InputError("--resume and --force exclude each other; pass one of them")
    resumes = ranks.broadcast("training/resumes", _resumes(run, arguments, ranks))
    plan = remembered_plan(run, arguments) if resumes else requested_plan(arguments)
    training, validation = load_data(plan.data, "train"), load_data(plan.data, "test")
    if count_classes(training) is None:
        raise InputError(
            "landscape-train needs targets that are class numbers (integers), got "
            f"{training.targets.dtype} of shape {tuple(training.targets.shape)}"
        )
    plan, model = _make_model(plan, training, validation, resumes)

    # Everything is checked before anything is replaced.
    settings = plan.training
    device = resolve_device(settings.device)
    Augmentation(settings, training, settings.seed)
    if settings.rho:
        names_in_scope(model, settings.sam_scope)
    evaluation = FinalEvaluation(
        model,
        validation,
        device,
        validation.input_shape[-1],
        plan.data.crop,
        settings.attack / 255,
        settings.seed,
    )
    evaluation.check(arguments.eval)
    if _are_the_same(training, validation):
        LOGGER.info(
            f"{plan.data.data} gives the same samples for training and validation; a parameter "
            "called split tells its function which to give"
        )
    with join_data_parallel_group(ranks, device) as group:
        if ranks.is_first:
            make_directory(run.path)
            config = _config(plan, model, training, ranks.world_size)
            if resumes:
                _tell_of_other_perturbations(run.read_config(), config)
            else:
                run.clear()
                run.write_config(config)
        rows = train(
            model,
            training,
            validation,
            settings,
            run,
            resume=resumes,
            name=plan.recipe or plan.model_name,
            group=group,
            request=request,
        )
    if ranks.is_first:
        if arguments.eval:
            _evaluate(evaluation, arguments.eval, run)
        _show_result(run, rows[-1])


def _resumes(run: RunDirectory, arguments: argparse.Namespace, ranks: Ranks) -> bool:
    """Whether the run in the output directory is resumed; decided by rank 0.

    It is also resumed after one of the processes died, when torchrun starts the same command again.

    Raises:
        InputError: There is a run, which is neither to be resumed nor to be replaced.
    """
    if not ranks.is_first:
        return False
    restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    if restarts and run.exists():
        return True
    if not arguments.resume and not arguments.force:
        _refuse_to_overwrite(run)
    return bool(arguments.resume)


def _refuse_to_overwrite(run: RunDirectory) -> None:
    """Raise InputError if the output directory holds a run."""
    if not run.path.exists():
        return
    present = [name for name in (CONFIG, LAST, BEST, METRICS) if (run.path / name).exists()]
    if run.epochs():
        present.append(EPOCHS)
    if present:
        raise InputError(
            f"{run.path} already holds a run ({', '.join(present)}); continue it with --resume, "
            "replace it with --force, or choose another --output-dir"
        )


def _make_model(
    plan: Plan, training: Samples, validation: Samples, resumes: bool
) -> tuple[Plan, nn.Module]:
    """Make the model that fits the data, with the weights that training starts from.

    Returns:
        The plan with all arguments of the model, and the model.

    Raises:
        InputError: The model, the data or the ``--init`` checkpoint don't fit each other.
    """
    torch.manual_seed(plan.training.seed)
    if not resumes:
        facts = data_facts(training)
        spec = resolve_model(plan.spec.name, plan.spec.arguments, facts, fit_to_data=True)
        plan = replace(plan, spec=spec)
    model = plan.spec.build()
    example = training.fetch(torch.zeros(1, dtype=torch.int64))
    num_outputs = count_outputs(model, example)
    if num_outputs is None:
        raise InputError(
            "landscape-train needs a model that returns logits (N, classes), which "
            f"{plan.model_name} does not"
        )
    check_targets(training, num_outputs, "the training data")
    check_targets(validation, num_outputs, "the validation data")
    init = plan.training.init
    if init and not resumes:
        head = find_classifier(model, example)
        for change in transfer_weights(
            model, head, Path(init), weights_key=plan.training.weights_key
        ):
            LOGGER.info(f"{init}: {change}")
    return plan, model


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


def _evaluate(evaluation: FinalEvaluation, words: Sequence[str], run: RunDirectory) -> None:
    """Write the accuracies on further sets, and print a line for each."""
    scores = evaluation.scores(words)
    run.write_evaluation(scores)
    for name, score in scores.items():
        accuracy, error = score["accuracy"], score["standard_error"]
        mean = f", the mean of {len(score['sets'])} sets" if "sets" in score else ""
        show(f"{run.path}: {name}: accuracy {accuracy:.2f}% +- {error:.2f}{mean}")


def _show_result(run: RunDirectory, row: Row) -> None:
    """Print the result of the last epoch."""
    show(
        f"{run.path}: epoch {int(row['epoch'])}, train loss {row['train_loss']:.4f}, "
        f"val loss {row['val_loss']:.4f}, val accuracy {row['val_accuracy']:.2f}%"
    )
