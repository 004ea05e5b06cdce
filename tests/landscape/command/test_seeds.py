"""Several seeds in one command: a run directory for each, as if each were trained alone."""

import shutil
import statistics
from itertools import product
from pathlib import Path

import pytest
import torch

from landscape.checkpoints.replicates import replicate_run, replicate_runs, seed_in
from landscape.training import loop
from tests.commands import content
from tests.landscape.command.test_resume import interrupt_in_epoch
from tests.landscape.command.words import FAST, FILES, SMALL, assert_same_weights, weights
from tests.profile import some


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a training with the seeds 3 and 0."""
    from landscape import cli

    folder = tmp_path_factory.mktemp("seeds") / "vit"
    words = [*FAST, "--seeds", "3", "0", "--quiet", "--output-dir", str(folder)]
    assert cli.main(words) == 0
    return folder


def test_each_seed_is_trained_as_it_would_be_alone(trained, finished):
    assert set(replicate_runs(trained)) == {0, 3}
    assert {path.name for path in trained.iterdir()} == {"seed-0", "seed-3"}
    assert {path.name for path in (trained / "seed-3").iterdir()} == FILES
    assert_same_weights(weights(trained / "seed-0"), weights(finished[0]))
    configs = [replicate_run(trained, seed).read_config() for seed in (0, 3)]
    assert [config["training"].pop("seed") for config in configs] == [0, 3]
    for config in configs:
        config.pop("created")
    assert configs[0] == configs[1]
    other = weights(trained / "seed-3")
    assert any(not torch.equal(other[key], value) for key, value in weights(finished[0]).items())


def test_the_mean_and_the_deviation_are_printed(train, trained):
    status, out, _ = train("--resume", "--output-dir", trained)
    assert status == 0
    losses = [replicate_run(trained, seed).read_metrics()[-1]["val_loss"] for seed in (0, 3)]
    mean, deviation = statistics.fmean(losses), statistics.stdev(losses)
    last = out.splitlines()[-1]
    assert last.startswith(f"{trained}: 2 seeds, mean ± standard deviation: ")
    assert f"val loss {mean:.4f} ± {deviation:.4f}" in last


@pytest.mark.parametrize(
    ("epoch", "again"), some(product([1, 3], [(), (*FAST, "--seeds", "3", "0")]), 2)
)
def test_an_interrupted_training_continues_with_every_seed(
    train, trained, tmp_path, monkeypatch, epoch, again
):
    folder = tmp_path / "vit"
    with monkeypatch.context() as patch:
        interrupt_in_epoch(epoch, patch)
        status, _, err = train(*FAST, "--seeds", "3", "0", "--output-dir", folder)
    assert status == 130, err
    status, out, err = train("--resume", *again, "--output-dir", folder)
    assert status == 0, err
    assert len(out.splitlines()) == 3
    for seed in (0, 3):
        assert_same_weights(weights(folder / f"seed-{seed}"), weights(trained / f"seed-{seed}"))


def test_a_finished_training_is_not_trained_again(train, trained, monkeypatch):
    before = content(trained)
    monkeypatch.setattr(loop, "train_epoch", None)
    status, _, err = train("--resume", "--output-dir", trained)
    assert status == 0, err
    assert content(trained) == before


def test_initial_weights_are_taken_after_an_interruption_too(
    train, finished, tmp_path, monkeypatch
):
    words = (*SMALL, "--epochs", "1", "-b", "512", "--init", finished[0] / "last.pt")
    status, _, err = train(*words, "--output-dir", tmp_path / "whole")
    assert status == 0, err
    with monkeypatch.context() as patch:
        interrupt_in_epoch(1, patch)
        assert train(*words, "--output-dir", tmp_path / "run")[0] == 130
    assert not (tmp_path / "run" / "last.pt").exists()
    assert train(*words, "--resume", "--output-dir", tmp_path / "run")[0] == 0
    assert_same_weights(weights(tmp_path / "run"), weights(tmp_path / "whole"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seeds", "1", "1"), "--seeds has to name each seed once, got 1 1"),
        (("--seeds", "1", "--seed", "2"), "--seed and --seeds exclude each other"),
        (("--seeds", "one"), "argument --seeds"),
        (("--seeds",), "expected at least one argument"),
    ],
)
def test_wrong_seeds(refused, tmp_path, words, said):
    assert said in refused(*FAST, *words, "--output-dir", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_is_there_is_not_mixed_with_other_runs(refused, trained, copied):
    before = content(trained)
    words = (*FAST, "--output-dir", trained)
    assert "seed-0 already holds a run" in refused(*words, "--seeds", "0", "3")
    assert "holds seed-3, which would be taken" in refused(*words, "--seeds", "0", "--force")
    assert "holds seed-0, seed-3, which would be taken" in refused(*words)
    assert "holds a run of its own" in refused(*FAST, "--seeds", "1", "--output-dir", copied)
    assert content(trained) == before


def test_seeds_are_added_to_those_that_are_there(train, trained, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "vit")
    before = content(folder)
    status, out, err = train("--resume", "--seeds", "3", "7", "--output-dir", folder)
    assert status == 0, err
    assert set(replicate_runs(folder)) == {0, 3, 7}
    now = content(folder)
    assert {name: now[name] for name in before} == before
    config = replicate_run(folder, 7).read_config()["training"]
    assert config == {**replicate_run(folder, 3).read_config()["training"], "seed": 7}


def test_nothing_to_resume(refused, tmp_path):
    words = ("--resume", "--seeds", "1", "2", "--output-dir", tmp_path / "typo")
    assert "nothing to resume" in refused(*FAST, *words)
    assert not (tmp_path / "typo").exists()


def test_runs_that_differ_in_more_than_their_seed_are_not_resumed_together(
    refused, trained, tmp_path
):
    folder = shutil.copytree(trained, tmp_path / "vit")
    config = replicate_run(folder, 3).read_config()
    config["training"]["lr"] = 0.5
    replicate_run(folder, 3).write_config(config)
    said = refused("--resume", "--output-dir", folder)
    assert "seed-3 and" in said
    assert "differ in lr, not in their seed alone" in said


def test_what_asam_scales_is_checked_before_a_run_is_replaced(refused, copied):
    before = content(copied)
    words = ("--sam", "asam", "--sam-scaled", "wieght", "--force", "--output-dir", copied)
    assert "--sam-scaled" in refused(*FAST, *words)
    assert content(copied) == before


def test_names_of_replicates():
    assert [seed_in(name) for name in ("seed-12", "seed--1", "seed-", "seed-1a", "aseed-1")] == [
        12, -1, None, None, None,
    ]  # fmt: skip
    assert replicate_runs(Path("absent")) == {}
