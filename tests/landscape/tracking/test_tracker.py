"""A tracker's numbers against dense matrices, its files, and the training that stays the same."""

import json
import logging
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape import SAM, InputError, Objective, Tracker
from landscape.checkpoints.run import RunDirectory
from landscape.curvature.stability import has_known_edge
from landscape.errors import SaveError
from landscape.runtime.random_state import preserved_random_state
from tests.landscape.tracking.training import Noisy, loader, make, samples


def test_the_training_is_the_same_to_the_bit(tmp_path):
    with preserved_random_state():
        untracked = Noisy().train()
        tracker = Tracker(tmp_path / "run", loader(), every=2, probes=2)
        assert Noisy().train(tracker=tracker) == untracked
    assert [row["epoch"] for row in tracker.rows] == [2, 4, 6]


def test_as_a_hook_of_the_optimizer(tmp_path):
    with preserved_random_state():
        untracked = Noisy().train()
        training = Noisy()
        tracker = Tracker(tmp_path / "run", samples(), every=3, quantities=("lambda_1",))
        training.optimizer.register_step_post_hook(tracker.hook(training.model))
        assert training.train() == untracked
    assert [row["epoch"] for row in tracker.rows] == [3, 6]


def dense_hessian(model, inputs, targets):
    """Gradient and Hessian of the mean loss, in float64."""
    names = [name for name, _ in model.named_parameters()]
    shapes = [p.shape for p in model.parameters()]
    sizes = [shape.numel() for shape in shapes]

    def loss(vector):
        pieces = vector.split(sizes)
        weights = {n: piece.view(s) for n, s, piece in zip(names, shapes, pieces, strict=True)}
        return F.cross_entropy(torch.func.functional_call(model, weights, (inputs,)), targets)

    theta = torch.cat([p.detach().flatten() for p in model.parameters()])
    start = theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(start), start)
    return theta, loss, gradient, torch.autograd.functional.hessian(loss, theta)


def test_the_numbers_are_those_of_the_dense_matrix(tmp_path):
    model = make().double()
    model(samples()[0].double())  # running statistics
    inputs, targets = samples()
    tracker = Tracker(tmp_path / "run", (inputs.double(), targets), rho=0.1, probes=50)
    row = tracker.measure(0, model)
    model.eval()
    theta, loss, gradient, hessian = dense_hessian(model, inputs.double(), targets)
    eigenvalues = torch.linalg.eigvalsh(hessian)
    largest = eigenvalues[eigenvalues.abs().argmax()].item()
    assert row["lambda_1"] == pytest.approx(largest, rel=1e-5)
    assert row["lambda_1_residual"] < 1e-3
    assert abs(row["trace"] - eigenvalues.sum().item()) < 4 * row["trace_stderr"]
    off_diagonal = hessian - torch.diag(hessian.diagonal())
    expected_error = math.sqrt(2 * off_diagonal.square().sum().item() / 50)
    assert row["trace_stderr"] == pytest.approx(expected_error, rel=0.4)
    assert row["grad_norm"] == pytest.approx(gradient.norm().item(), rel=1e-9)
    moved = theta + 0.1 * gradient / gradient.norm()
    assert row["surrogate_gap"] == pytest.approx((loss(moved) - loss(theta)).item(), rel=1e-6)
    assert row["train_loss"] == pytest.approx(loss(theta).item(), rel=1e-9)
    errors = (model(inputs.double()).argmax(1) != targets).double().mean().item()
    assert row["train_error"] == pytest.approx(100 * errors)
    objective = Objective(model, (inputs.double(), targets), dtype=torch.float64, device="cpu")
    assert row["grad_norm"] == pytest.approx(objective.gradient().norm().item(), rel=1e-12)


def test_a_loss_as_a_training_step(tmp_path):
    model, data = make(), samples()

    def step(model, batch):
        penalty = sum(p.square().sum() for p in model.parameters())
        return F.cross_entropy(model(batch[0]), batch[1]) + penalty

    tracker = Tracker(tmp_path / "run", loader(24), step=step, quantities=("grad_norm",))
    rows = [tracker.measure(number, model) for number in (0, 1)]  # the sample is fixed by the first
    model.eval()
    expected = torch.autograd.grad(step(model, data), list(model.parameters()))
    norm = torch.cat([g.flatten() for g in expected]).norm().item()
    for row in rows:
        assert row["grad_norm"] == pytest.approx(norm, rel=1e-5)
        assert math.isnan(row["train_error"])


def test_the_files_are_those_of_a_run(tmp_path):
    training = Noisy()
    tracker = Tracker(tmp_path / "run", samples(), every=3, split="val", model="mine.py:make")
    tracker.at(0, training.model)
    training.train(tracker=tracker)
    run = RunDirectory(tmp_path / "run")
    assert [number for number, _ in run.epochs()] == [0, 3, 6]
    stored = run.load("last.pt")["model"]
    for name, tensor in training.model.state_dict().items():
        torch.testing.assert_close(stored[name], tensor, rtol=0, atol=0)
    rows = run.read_metrics()
    assert rows[-1]["val_loss"] == pytest.approx(tracker.rows[-1]["val_loss"])
    assert rows[-1]["lr"] == 0.02
    assert math.isnan(rows[0]["lr"])
    config = run.read_config()
    assert config["model"] == {"name": "mine.py:make", "arguments": {}}
    assert config["training"] == {"rho": 0.0, "opt": "adam"}
    assert config["num_parameters"] == sum(p.numel() for p in training.model.parameters())


def test_nothing_half_written_is_left_by_a_kill(tmp_path, monkeypatch):
    training = Noisy()
    tracker = Tracker(tmp_path / "run", samples(), probes=2)
    tracker.step(training.model)
    before = (tmp_path / "run" / "metrics.csv").read_bytes()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(RunDirectory, "write_metrics", killed)
    with pytest.raises(KeyboardInterrupt):
        tracker.step(training.model)
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == before
    monkeypatch.undo()
    resumed = Tracker(tmp_path / "run", samples(), probes=2, resume=True)
    assert [row["epoch"] for row in resumed.rows] == [1]
    resumed.step(training.model)
    assert [row["epoch"] for row in RunDirectory(tmp_path / "run").read_metrics()] == [1, 2]


def test_a_record_is_resumed_where_the_training_is(tmp_path):
    training = Noisy()
    tracker = Tracker(tmp_path / "run", samples(), quantities=("grad_norm",))
    training.train(tracker=tracker)
    with pytest.raises(InputError, match="already holds a run .* resume=True"):
        Tracker(tmp_path / "run", samples())
    resumed = Tracker(tmp_path / "run", samples(), quantities=("grad_norm",), resume=True)
    assert resumed.steps == 6
    resumed.steps = 3  # the training starts from an earlier checkpoint
    resumed.step(training.model)
    run = RunDirectory(tmp_path / "run")
    assert [row["epoch"] for row in run.read_metrics()] == [1, 2, 3, 4]
    assert [number for number, _ in run.epochs()] == [1, 2, 3, 4]
    other = Tracker(tmp_path / "run", (samples()[0][:8], samples()[1][:8]), resume=True)
    with pytest.raises(InputError, match="the sample is not that of "):
        other.step(training.model)


def test_a_measurement_that_fails_later_leaves_the_training_alone(tmp_path, caplog):
    model = make()
    tracker = Tracker(tmp_path / "run", samples(), quantities=("lambda_1",))
    tracker.step(model)
    with torch.no_grad():
        model[0].weight.fill_(math.inf)
    with caplog.at_level(logging.WARNING):
        tracker.step(model)
    assert math.isnan(tracker.rows[1]["lambda_1"])
    assert "step 2 is not measured" in caplog.text
    assert len(RunDirectory(tmp_path / "run").read_metrics()) == 2


def test_a_full_disk_leaves_the_training_alone(tmp_path, caplog, monkeypatch):
    model = make()
    tracker = Tracker(tmp_path / "run", samples(), quantities=("grad_norm",))
    tracker.step(model)

    def full(*_):
        raise SaveError("no room")

    monkeypatch.setattr(RunDirectory, "save_epoch", full)
    with caplog.at_level(logging.WARNING):
        tracker.step(model)
    assert "step 2 is not recorded: no room" in caplog.text
    monkeypatch.undo()
    tracker.step(model)
    assert [row["epoch"] for row in RunDirectory(tmp_path / "run").read_metrics()] == [1, 2, 3]


def test_autocast_and_inference_mode_around_it_change_nothing(tmp_path):
    model = make()
    expected = Tracker(tmp_path / "a", samples(), probes=2).measure(0, model)
    with torch.autocast("cpu", torch.bfloat16):
        first = Tracker(tmp_path / "b", samples(), probes=2).measure(0, model)
    with torch.inference_mode():
        second = Tracker(tmp_path / "c", samples(), probes=2).measure(0, model)
    for name in ("lambda_1", "trace", "grad_norm", "surrogate_gap", "train_loss"):
        assert first[name] == expected[name]
        assert second[name] == expected[name]


def test_what_the_optimizer_says_of_the_training(tmp_path):
    model = make()
    base = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.8)
    tracker = Tracker(tmp_path / "run", samples(), quantities=("grad_norm",))
    run = RunDirectory(tmp_path / "run")
    tracker.step(model, base)
    assert run.read_config()["training"] == {"rho": 0.0, "opt": "sgd", "momentum": 0.8}
    tracker.step(model, SAM(model.parameters(), base, rho=0.1), val_accuracy=50.0)
    training = {"rho": 0.1, "sam": "sam", "opt": "sgd", "momentum": 0.8}
    assert run.read_config()["training"] == training
    tracker.step(model, SAM(model.parameters(), base, rho=0.1, method="asam"))
    training = run.read_config()["training"]
    assert training["sam"] == "asam"
    assert not has_known_edge(training)
    accuracies = [row["val_accuracy"] for row in run.read_metrics()]
    np.testing.assert_equal(accuracies, [math.nan, 50.0, math.nan])


def test_without_weights_there_are_numbers_alone(tmp_path):
    tracker = Tracker(tmp_path / "run", samples(), probes=2, keep_weights=False)
    tracker.step(make())
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == [".lock", "config.json", "metrics.csv"]  # a lock while the tracker lives
    json.loads((tmp_path / "run" / "config.json").read_text())


def test_mistakes_are_told_in_one_line(tmp_path):
    def refused(match, **options):
        with pytest.raises(InputError, match=match) as error:
            Tracker(tmp_path / "run", samples(), **options).step(make())
        assert "\n" not in str(error.value)
        assert not (tmp_path / "run").exists()

    refused("every has to be positive", every=0)
    refused("expected step or epoch", unit="batch")
    refused("expected train or val", split="test")
    refused("expected some of lambda_1, trace", quantities=("lambda_2",))
    refused("rho has to be positive", rho=0.0)
    refused("at least 2 probes", probes=1)
    refused("no submodule 'head'", module="head")
    with pytest.raises(InputError, match="no parameters to measure"):
        Tracker(tmp_path / "run", samples()).step(nn.ReLU())


class Complex(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(6, 3, dtype=torch.cfloat))

    def forward(self, x):
        return (x.to(torch.cfloat) @ self.weight).abs()


@pytest.mark.parametrize("make_model", [Complex, lambda: make().bfloat16()])
def test_the_weights_are_kept_as_the_model_has_them(tmp_path, make_model):
    model = make_model()
    Tracker(tmp_path / "run", samples(), quantities=("grad_norm",)).step(model)
    stored = RunDirectory(tmp_path / "run").load("epochs/0001.pt")
    stored = stored.get("model", stored)
    expected = model.state_dict()
    assert {name: stored[name].dtype for name in expected} == {
        name: tensor.dtype for name, tensor in expected.items()
    }
    model.load_state_dict({name: stored[name] for name in expected})


def test_an_argument_that_nothing_takes_is_refused_at_once(tmp_path):
    with pytest.raises(InputError, match="takes an argument 'probe'"):
        Tracker(tmp_path / "run", samples(), probe=2)


def test_a_submodule_within_several_wrappers(tmp_path):
    class Compiled(torch.nn.Module):
        """What torch.compile returns, in the respect that matters."""

        def __init__(self, model):
            super().__init__()
            self._orig_mod = model

    network = torch.nn.Sequential()
    network.add_module("net", make())
    tracker = Tracker(tmp_path / "run", samples(), quantities=("grad_norm",), module="net")
    tracker.step(Compiled(torch.nn.DataParallel(network)))
    assert tracker.rows[0]["grad_norm"] > 0


def test_a_logger_gets_every_row(tmp_path):
    calls = []
    with preserved_random_state():
        untracked = Noisy().train()

        def log(metrics, step):
            torch.rand(1)
            calls.append((step, metrics))

        tracker = Tracker(tmp_path / "run", samples(), every=2, probes=2, log=log)
        assert Noisy().train(tracker=tracker) == untracked
    assert [step for step, _ in calls] == [2, 4, 6]
    for (_, metrics), row in zip(calls, tracker.rows, strict=True):
        assert metrics == {k: v for k, v in row.items() if k != "epoch" and not math.isnan(v)}
        assert {"lambda_1", "trace", "trace_stderr", "lr"} <= set(metrics)
