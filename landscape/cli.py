"""The command ``landscape-train``: train a network, with or without SAM, into a run directory."""

import argparse
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from landscape.checkpoints.run import BEST, CONFIG, EPOCHS, LAST, METRICS, RunDirectory
from landscape.checkpoints.transfer import transfer_weights
from landscape.data.catalog import data_facts, load_data
from landscape.data.samples import Samples, TensorSamples, check_targets, count_classes
from landscape.errors import InputError
from landscape.models.catalog import resolve_model
from landscape.models.probe import count_outputs, find_classifier
from landscape.results.files import make_directory
from landscape.results.provenance import git_commit, now, versions
from landscape.runtime.console import run_command, show
from landscape.runtime.devices import resolve_device
from landscape.runtime.distributed import Ranks, join_ranks
from landscape.runtime.progress import show_messages
from landscape.training.augmentation import Augmentation
from landscape.training.command.arguments import build_parser
from landscape.training.command.plan import Plan, remembered_plan, requested_plan
from landscape.training.data_parallel import join_data_parallel_group
from landscape.training.final_evaluation import FinalEvaluation
from landscape.training.interruption import StopRequest, StopRequested, stop_requests
from landscape.training.loop import train
from landscape.training.sam.ascent import names_in_scope

LOGGER = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return run_command(
        _train_command,
        build_parser,
        argv,
        when_interrupted="the same command with --resume continues after the last finished epoch",
    )


def _train_command(arguments: argparse.Namespace) -> None:
    with stop_requests() as request:
        try:
            _train(arguments, request)
        except StopRequested as stop:
            run = RunDirectory(arguments.output_dir)
            if (run.path / LAST).is_file():
                where = f"saved; continue with: landscape-train --resume --output-dir {run.path}"
            else:
                where = "nothing was trained yet; the same command starts again"
            if os.environ.get("RANK", "0") == "0":
                show(f"{stop}: {where}")


def _train(arguments: argparse.Namespace, request: StopRequest) -> None:
    ranks = join_ranks()
    if not ranks.is_first:
        show_messages(quiet=True)
    run = RunDirectory(arguments.output_dir)
    if arguments.resume and arguments.force:
        raise InputError("--resume and --force exclude each other")
    resumes = ranks.broadcast("training/resumes", _continues(run, arguments, ranks))
    plan = remembered_plan(run, arguments) if resumes else requested_plan(arguments)
    training = plan.training
    train_samples, val_samples = load_data(plan.data, "train"), load_data(plan.data, "test")
    if count_classes(train_samples) is None:
        raise InputError("landscape-train needs targets that are class numbers")

    torch.manual_seed(training.seed)
    facts = data_facts(train_samples)
    if not resumes:
        spec = resolve_model(plan.spec.name, plan.spec.arguments, facts, fit_to_data=True)
        plan = replace(plan, spec=spec)
    model = plan.spec.build()
    example = train_samples.fetch(torch.zeros(1, dtype=torch.int64))
    num_outputs = count_outputs(model, example)
    if num_outputs is None:
        raise InputError("landscape-train needs a model that returns logits (N, classes)")
    check_targets(train_samples, num_outputs, "the training data")
    check_targets(val_samples, num_outputs, "the validation data")
    if training.init and not resumes:
        head = find_classifier(model, example)
        for change in transfer_weights(model, head, Path(training.init)):
            LOGGER.info(f"{training.init}: {change}")

    # Before anything is replaced:
    device = resolve_device(training.device)
    Augmentation(training, train_samples, training.seed)
    if training.rho:
        names_in_scope(model, training.sam_scope)
    evaluator = FinalEvaluation(
        model,
        val_samples,
        device,
        val_samples.input_shape[-1],
        plan.data.crop,
        training.attack / 255,
        training.seed,
    )
    evaluator.check(arguments.eval)
    if _are_the_same(train_samples, val_samples):
        LOGGER.info(
            f"{plan.data.data} gives the same samples for training and validation; take split="
        )
    with join_data_parallel_group(ranks, device) as team:
        if team.is_first:
            make_directory(run.path)
            if not resumes:
                run.clear()
                run.write_config(_config(plan, model, facts, team.world_size))
        rows = train(
            model,
            train_samples,
            val_samples,
            training,
            run,
            resume=resumes,
            name=plan.recipe or plan.model_name,
            team=team,
            request=request,
        )
    if ranks.is_first:
        if arguments.eval:
            _evaluate(evaluator, arguments.eval, run)
        last = rows[-1]
        show(
            f"{run.path}: epoch {int(last['epoch'])}, train loss {last['train_loss']:.4f}, "
            f"val loss {last['val_loss']:.4f}, val accuracy {last['val_accuracy']:.2f}%"
        )


def _evaluate(evaluator: FinalEvaluation, words: Sequence[str], run: RunDirectory) -> None:
    """Write the accuracies on further sets, and print one line of each."""
    scores = evaluator.scores(words)
    run.write_evaluation(scores)
    for name, score in scores.items():
        accuracy, error = score["accuracy"], score["standard_error"]
        mean = f", the mean of {len(score['sets'])} sets" if "sets" in score else ""
        show(f"{run.path}: {name}: accuracy {accuracy:.2f}% +- {error:.2f}{mean}")


def _continues(run: RunDirectory, arguments: argparse.Namespace, ranks: Ranks) -> bool:
    """Whether the run in place is to be continued; InputError if one is in the way.

    torchrun starts the same command again after one of its processes died: then it is.
    """
    if not ranks.is_first:
        return False
    restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    if restarts and run.exists():
        return True
    if not arguments.resume:
        _refuse_to_overwrite(run, arguments.force)
    return bool(arguments.resume)


def _are_the_same(one: Samples, other: Samples) -> bool:
    if not isinstance(one, TensorSamples) or not isinstance(other, TensorSamples):
        return False
    return torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)


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
    plan: Plan, model: torch.nn.Module, facts: Mapping[str, Any], processes: int
) -> dict[str, Any]:
    return {
        **plan.config(),
        "num_parameters": sum(p.numel() for p in model.parameters()),
        "data_facts": dict(facts),
        "processes": processes,
        "versions": versions(),
        "git_commit": git_commit(),
        "created": now(),
    }
