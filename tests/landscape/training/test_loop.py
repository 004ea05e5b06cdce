import copy
import csv
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.checkpoints.run import BEST, LAST, METRIC_COLUMNS, METRICS, RunDirectory
from landscape.data.feed import epoch_order
from landscape.data.samples import TensorSamples
from landscape.errors import DivergenceError
from landscape.training import evaluation, loop
from landscape.training.augmentation.augment import Augmentation
from landscape.training.epoch import train_epoch
from landscape.training.evaluation import evaluate
from landscape.training.loop import train
from landscape.training.optimizer import make_optimizer
from landscape.training.prepare import prepare
from landscape.training.scale.data_parallel import SINGLE_PROCESS
from landscape.training.schedules import learning_rate
from landscape.training.step import Stepper
from tests.landscape.training.runs import CPU, PLAIN, assert_same, make, some


def epoch_of(model, samples, settings, epoch):
    """The records (steps, 4) of one epoch."""
    _, task, *_ = prepare(model, samples, settings, CPU, SINGLE_PROCESS)
    stepper = Stepper(model, make_optimizer(model, settings), task, settings)
    augmentation = Augmentation(settings, samples, settings.seed)
    return torch.stack(list(train_epoch(stepper, samples, augmentation, epoch)))


def test_a_training_is_a_function_of_its_settings(data, tmp_path):
    states = []
    for k, seed in enumerate([0, 0, 1]):
        run = RunDirectory(tmp_path / str(k))
        run.path.mkdir()
        model = make(depth=1, dropout=0.1)
        torch.manual_seed(k)
        train(model, *data, replace(PLAIN, epochs=1, seed=seed), run)
        states.append(run.load(LAST)["model"])
    assert_same(states[0], states[1])
    assert not torch.equal(states[0]["head.weight"], states[2]["head.weight"])


def test_frozen_parameters_are_left_to_themselves(data, run):
    model = make(depth=1)
    model.patch_embed.requires_grad_(False)
    before = copy.deepcopy(model.patch_embed.state_dict())
    held = {id(p) for group in make_optimizer(model, PLAIN).param_groups for p in group["params"]}
    assert len(held) == sum(p.requires_grad for p in model.parameters())
    assert not held & {id(p) for p in model.patch_embed.parameters()}
    train(model, *data, replace(PLAIN, epochs=1, rho=0.1), run)
    assert_same(dict(model.patch_embed.state_dict()), dict(before))


def test_a_logger_gets_the_metrics_of_every_epoch(data, run):
    calls = []
    rows = train(
        make(depth=1),
        *data,
        replace(PLAIN, epochs=2),
        run,
        log=lambda metrics, step: calls.append({"epoch": step, **metrics}),
    )
    assert calls == rows


def test_metrics(data, run):
    settings = replace(PLAIN, epochs=2, warmup_epochs=0.5)
    model = make(depth=1)
    rows = train(model, *data, settings, run)
    assert [tuple(row) for row in rows] == [METRIC_COLUMNS] * 2
    assert [row["epoch"] for row in rows] == [1, 2]
    for row, last_step in zip(rows, (2, 5), strict=True):
        rate = learning_rate(last_step, peak=1e-3, warmup=2, total=6, schedule="cosine")
        assert row["lr"] == rate
        assert row["seconds"] > 0
    with torch.no_grad():
        outputs = model.eval()(data[1].fetch(torch.arange(20)))
    expected = F.cross_entropy(outputs.double(), data[1].targets).item()
    assert rows[-1]["val_loss"] == pytest.approx(expected, rel=1e-6)
    accuracy = (outputs.argmax(1) == data[1].targets).double().mean().item()
    assert rows[-1]["val_accuracy"] == pytest.approx(100 * accuracy)
    with (run.path / METRICS).open(newline="") as lines:
        written = list(csv.DictReader(lines))
    assert tuple(written[0]) == METRIC_COLUMNS
    assert [row["epoch"] for row in written] == ["1", "2"]
    assert [{key: float(value) for key, value in row.items()} for row in written] == rows


def test_the_means_of_an_epoch_are_over_its_steps(data, monkeypatch):
    """At a learning rate too small to move a weight, they are those of the network itself."""
    settings = replace(PLAIN, lr=1e-30, weight_decay=0.0)
    model = make(depth=1).double()
    nn.init.normal_(model.head.weight)
    samples = replace(data[0], inputs=data[0].inputs.double())
    order = epoch_order(samples, settings.seed, 4)
    losses, errors, norms = [], [], []
    for indices in order[:48].split(16):
        outputs, targets = model(samples.fetch(indices)), samples.targets[indices]
        loss = F.cross_entropy(outputs, targets)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        losses.append(loss.item())
        errors.append((outputs.argmax(1) != targets).double().mean().item())
        norms.append(math.sqrt(sum(g.square().sum().item() for g in gradients)))
    records = epoch_of(model, samples, settings, 4)
    for column, expected in enumerate((losses, errors, norms)):
        assert records[:, column].tolist() == pytest.approx(expected, rel=1e-12)
    assert records[:, 3].tolist() == [0, 0, 0]


def test_evaluation_is_in_eval_mode_and_over_every_sample(data, monkeypatch):
    monkeypatch.setattr(evaluation, "EVAL_BATCH", 7)
    model = make("resnet-tiny").double().train()
    samples = replace(data[1], inputs=data[1].inputs.double())
    loss, accuracy = evaluate(model, samples, CPU)
    with torch.no_grad():
        outputs = model.eval()(samples.fetch(torch.arange(20)))
    assert loss == pytest.approx(F.cross_entropy(outputs, samples.targets).item(), rel=1e-12)
    hits = (outputs.argmax(1) == samples.targets).double().mean().item()
    assert accuracy == pytest.approx(100 * hits)
    assert model.bn1.num_batches_tracked.item() == 0


def fed(data, settings, epoch=0):
    """The inputs the model is given in an epoch, as rows."""
    model, seen = make(depth=1), []
    model.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].clone()))
    epoch_of(model, data[0], settings, epoch)
    return torch.cat(seen)


def test_each_sample_is_used_once_and_the_rest_is_dropped(data):
    inputs = fed(data, PLAIN)
    available = [tuple(row.flatten().tolist()) for row in data[0].fetch(torch.arange(52))]
    rows = [tuple(row.flatten().tolist()) for row in inputs]
    assert len(rows) == 48
    assert len(set(rows)) == len(rows)
    assert set(rows) <= set(available)


def test_augmentation_is_a_function_of_seed_and_epoch(data):
    settings = replace(PLAIN, augment="crop-flip")
    plain, augmented = fed(data, PLAIN), fed(data, settings)
    assert augmented.shape == plain.shape
    assert not torch.equal(augmented, plain)
    torch.manual_seed(9)
    assert torch.equal(fed(data, settings), augmented)
    assert not torch.equal(fed(data, settings, epoch=1), augmented)


def test_mixups_weight_is_that_of_a_batch_over_all_ranks_or_of_a_sample():
    """Seen in the targets of samples that are all of another class."""
    samples = TensorSamples(torch.zeros(16, 2), torch.arange(16))
    settings = replace(PLAIN, mixup=1.0)

    def weights(mixup_lambda, rank, step):
        changed = replace(settings, mixup_lambda=mixup_lambda)
        augmentation = Augmentation(changed, samples, 0, rank, world_size=2)
        targets = augmentation.mix(samples.inputs, samples.targets, 0, step)[1]
        return {round(weight, 6) for weight in targets.max(1).values.tolist()} - {1.0}

    assert len(weights("batch", rank=0, step=0)) == 1
    assert weights("batch", rank=0, step=0) == weights("batch", rank=1, step=0)
    assert weights("batch", rank=0, step=0) != weights("batch", rank=0, step=1)
    assert len(weights("sample", rank=0, step=0)) > 10
    assert not weights("sample", rank=0, step=0) & weights("sample", rank=1, step=0)


def test_sam_sees_each_augmented_batch_twice(data):
    plain = fed(data, replace(PLAIN, augment="crop-flip")).split(16)
    twice = fed(data, replace(PLAIN, augment="crop-flip", rho=0.1)).split(16)
    assert len(twice) == 2 * len(plain)
    for k, batch in enumerate(plain):
        assert torch.equal(twice[2 * k], batch)
        assert torch.equal(twice[2 * k + 1], batch)


def test_best_pt_is_the_first_of_the_best(run, data, monkeypatch):
    accuracies = iter([10.0, 30.0, 20.0, 30.0])
    monkeypatch.setattr(loop, "evaluate", lambda *_: (1.0, next(accuracies)))
    snapshots = []
    save = RunDirectory.save

    def keep(self, name, state):
        snapshots.append((name, state["epoch"]))
        save(self, name, state)

    monkeypatch.setattr(RunDirectory, "save", keep)
    train(make(depth=1), *data, replace(PLAIN, epochs=4), run)
    assert [epoch for name, epoch in snapshots if name == BEST] == [1, 2]
    assert run.load(BEST)["epoch"] == 2
    assert [epoch for name, epoch in snapshots if name == LAST] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("vit-tiny", replace(PLAIN, lr=1e-2, epochs=16)),
        ("vit-tiny", replace(PLAIN, lr=1e-2, rho=0.05, epochs=16)),
        ("mixer-tiny", replace(PLAIN, lr=3e-3, epochs=8)),
        ("resnet-tiny", replace(PLAIN, opt="sgd", lr=0.05, rho=0.05, clip=5.0, epochs=8)),
    ],
    ids=["vit", "vit sam", "mixer", "resnet sam"],
)
def test_training_reduces_the_loss(name, settings, run):
    data = some("train", 128), some("test", 40)
    arguments = {} if name == "resnet-tiny" else {"depth": 1}
    rows = train(make(name, **arguments), *data, settings, run)
    # A network that knows nothing has the loss log(10) = 2.30; a ResNet learns in its first epoch.
    assert rows[0]["train_loss"] > (1.7 if name == "resnet-tiny" else 2.0)
    assert rows[-1]["train_loss"] < 0.7 * rows[0]["train_loss"]
    assert rows[-1]["val_loss"] < 0.8 * rows[0]["val_loss"]
    assert rows[-1]["train_error"] < 40 < rows[0]["train_error"]


@pytest.mark.parametrize("check_every", [1, 50])
def test_divergence_names_the_step_and_the_rate_and_keeps_the_last_finished_epoch(
    check_every, data, run, monkeypatch
):
    monkeypatch.setitem(loop.CHECK_EVERY, "cpu", check_every)
    settings = replace(PLAIN, schedule="constant", warmup_epochs=0.0)
    train(make(depth=1), *data, replace(settings, epochs=2), run)
    before, metrics = run.load(LAST), run.read_metrics()
    # Two epochs of three steps are done; step 6 is taken from sound weights, and too far.
    with pytest.raises(DivergenceError, match=r"became nan at step 7 \(learning rate 1e\+18"):
        train(make(depth=1), *data, replace(settings, lr=1e18), run, resume=True)
    after = run.load(LAST)
    assert after["epoch"] == 2
    assert_same(after, before)
    assert run.read_metrics() == metrics
    make(depth=1).load_state_dict(after["model"])
    assert all(tensor.isfinite().all() for tensor in after["model"].values())


def test_a_divergence_by_the_last_step_of_an_epoch_is_one_too(data, run):
    """One step an epoch: the loss was sound before it, and the weights are not after it."""
    settings = replace(PLAIN, batch_size=52, lr=1e18, warmup_epochs=0.0, epochs=1)
    with pytest.raises(DivergenceError):
        train(make(depth=1), *data, settings, run)
    assert not (run.path / LAST).exists()


def test_a_divergence_at_the_very_first_step_leaves_no_checkpoint(data, run):
    broken = replace(data[0], inputs=data[0].inputs * math.nan)
    with pytest.raises(DivergenceError, match="at step 0"):
        train(make(depth=1), broken, data[1], PLAIN, run)
    assert list(run.path.iterdir()) == []
