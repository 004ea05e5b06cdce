import copy
import csv
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.checkpoints.run import BEST, LAST, METRIC_COLUMNS, METRICS, RunDirectory
from landscape.data.digits import digits
from landscape.errors import DivergenceError, InputError
from landscape.models.catalog import resolve_model
from landscape.training import loop
from landscape.training.loop import evaluate, make_optimizer, train, train_epoch
from landscape.training.schedules import learning_rate
from landscape.training.settings import OPTIMIZER_DEFAULTS, TrainSettings

CPU = torch.device("cpu")
FACTS = {"image_size": 8, "channels": 1, "num_classes": 10}
PLAIN = TrainSettings(batch_size=16, epochs=3, warmup_epochs=1.0, device="cpu")
# What makes a training hard to continue: dropout, SAM's two passes, augmentation, BatchNorm.
EVERYTHING = {
    "vit": ("vit-tiny", {"dropout": 0.1, "depth": 2}, replace(PLAIN, rho=0.1, augment="crop-flip")),
    "resnet": ("resnet-tiny", {}, replace(PLAIN, opt="sgd", rho=0.05, augment="crop-flip")),
}


class Killed(BaseException):
    """The process is gone: nothing after this line is run."""


def make(name="vit-tiny", seed=0, **arguments):
    torch.manual_seed(seed)
    return resolve_model(name, arguments, FACTS, fit_to_data=True).build()


def some(split, n):
    data = digits(split)
    return replace(data, inputs=data.inputs[:n], targets=data.targets[:n])


@pytest.fixture(scope="module")
def data():
    """52 samples, so that a batch size of 16 leaves some over, and 20 to validate with."""
    return some("train", 52), some("test", 20)


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path)


@pytest.fixture(scope="module", params=sorted(EVERYTHING))
def unbroken(request, data, tmp_path_factory):
    """Settings, and the state and rows of a training that was never stopped."""
    name, arguments, settings = EVERYTHING[request.param]
    run = RunDirectory(tmp_path_factory.mktemp(request.param))
    rows = train(make(name, **arguments), *data, settings, run)
    return (name, arguments, settings), run, rows


def restarted(run, name, arguments):
    """What a new process starts with: with a last.pt, other weights; another random state."""
    model = make(name, seed=77 if (run.path / LAST).exists() else 0, **arguments)
    torch.manual_seed(12345)
    return model


def without_time(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def assert_same(one, other, where=""):
    """Equal to the bit, through dicts and lists."""
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for k, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}/{k}")
    else:
        assert one == other, where


def assert_same_run(run, unbroken_run):
    state, expected = run.load(LAST), unbroken_run.load(LAST)
    assert without_time(state.pop("metrics")) == without_time(expected.pop("metrics"))
    assert_same(state, expected)
    assert_same(run.load(BEST), unbroken_run.load(BEST))
    assert without_time(run.read_metrics()) == without_time(unbroken_run.read_metrics())


@pytest.mark.parametrize("operation", range(1, 8))
def test_a_run_killed_between_any_two_writes_is_resumed_to_the_same_bits(
    operation, unbroken, data, run, monkeypatch
):
    (name, arguments, settings), unbroken_run, unbroken_rows = unbroken
    left = [operation]

    def until_killed(method):
        def write(*words):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            method(*words)

        return write

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "save", until_killed(RunDirectory.save))
        patch.setattr(RunDirectory, "write_metrics", until_killed(RunDirectory.write_metrics))
        with pytest.raises(Killed):
            train(make(name, **arguments), *data, settings, run)
    model = restarted(run, name, arguments)
    rows = train(model, *data, settings, run, resume=True)
    assert without_time(rows) == without_time(unbroken_rows)
    assert_same_run(run, unbroken_run)


@pytest.mark.parametrize("step", [1, 4, 5, 8])
def test_a_run_killed_in_the_middle_of_an_epoch_is_resumed_to_the_same_bits(
    step, unbroken, data, run, monkeypatch
):
    (name, arguments, settings), unbroken_run, _ = unbroken
    left, train_step = [step], loop.train_step

    def until_killed(*words):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return train_step(*words)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", until_killed)
        with pytest.raises(Killed):
            train(make(name, **arguments), *data, settings, run)
    assert len(run.read_metrics()) == step // 3
    train(restarted(run, name, arguments), *data, settings, run, resume=True)
    assert_same_run(run, unbroken_run)


def test_resuming_a_finished_run_changes_nothing(unbroken, data):
    (name, arguments, settings), run, rows = unbroken
    before = (run.path / LAST).read_bytes()
    assert train(restarted(run, name, arguments), *data, settings, run, resume=True) == rows
    assert (run.path / LAST).read_bytes() == before


def kept(run):
    return {epoch: file.read_bytes() for epoch, file in run.epochs()}


@pytest.fixture(scope="module")
def unbroken_keeping(unbroken, data, tmp_path_factory):
    """The same training, in which every second of the three epochs is kept."""
    (name, arguments, settings), _, _ = unbroken
    run = RunDirectory(tmp_path_factory.mktemp("keeping"))
    settings = replace(settings, save_every=2)
    train(make(name, **arguments), *data, settings, run)
    return (name, arguments, settings), run


def test_the_initial_network_every_nth_epoch_and_the_last_are_kept(
    unbroken, unbroken_keeping, data, tmp_path
):
    (name, arguments, settings), run = unbroken_keeping
    assert [(epoch, file.name) for epoch, file in run.epochs()] == [
        (0, "0000.pt"),
        (2, "0002.pt"),
        (3, "0003.pt"),
    ]
    states = {epoch: torch.load(file, weights_only=True) for epoch, file in run.epochs()}
    for epoch, state in states.items():
        assert set(state) == {"epoch", "model"}
        assert state["epoch"] == epoch
    assert_same(states[0]["model"], make(name, **arguments).state_dict())
    assert_same(states[3]["model"], run.load(LAST)["model"])
    # Keeping changes nothing; the second epoch is that of any training that gets so far.
    assert_same_run(run, unbroken[1])
    other = RunDirectory(tmp_path)
    train(make(name, **arguments), *data, replace(settings, save_every=1), other)
    assert [epoch for epoch, _ in other.epochs()] == [0, 1, 2, 3]
    assert {epoch: kept(other)[epoch] for epoch in (0, 2, 3)} == kept(run)


def test_no_epoch_is_kept_unasked(unbroken):
    assert unbroken[1].epochs() == []
    assert not (unbroken[1].path / "epochs").exists()


# Of three epochs: 3 kept, 3 last.pt, 3 metrics.csv and at least one best.pt.
@pytest.mark.parametrize("operation", range(1, 11))
@pytest.mark.parametrize("is_written", [False, True], ids=["before a write", "after it"])
def test_a_killed_run_ends_with_the_same_kept_epochs(
    operation, is_written, unbroken_keeping, data, run, monkeypatch
):
    (name, arguments, settings), unbroken_run = unbroken_keeping
    left = [operation]

    def until_killed(method):
        def write(*words):
            left[0] -= 1
            if left[0] == 0 and not is_written:
                raise Killed
            method(*words)
            if left[0] == 0:
                raise Killed

        return write

    with monkeypatch.context() as patch:
        for write in ("save", "save_epoch", "write_metrics"):
            patch.setattr(RunDirectory, write, until_killed(getattr(RunDirectory, write)))
        with pytest.raises(Killed):
            train(make(name, **arguments), *data, settings, run)
    if run.epochs():
        (run.path / "epochs" / ".0002.pt.9-ab.pt").touch()
    before = kept(run)
    train(restarted(run, name, arguments), *data, settings, run, resume=True)
    assert_same_run(run, unbroken_run)
    assert kept(run) == kept(unbroken_run)
    assert {epoch: kept(run)[epoch] for epoch in before} == before
    assert len(list((run.path / "epochs").iterdir())) == 3


def test_resuming_a_finished_run_leaves_its_kept_epochs(unbroken_keeping, data):
    (name, arguments, settings), run = unbroken_keeping
    before = {file: file.stat().st_mtime_ns for _, file in run.epochs()}
    train(restarted(run, name, arguments), *data, settings, run, resume=True)
    assert {file: file.stat().st_mtime_ns for _, file in run.epochs()} == before


def test_the_batch_statistics_are_part_of_the_run(unbroken):
    (name, _, _), run, _ = unbroken
    buffers = [key for key in run.load(LAST)["model"] if key.endswith("num_batches_tracked")]
    assert bool(buffers) == (name == "resnet-tiny")
    for key in buffers:
        assert run.load(LAST)["model"][key].item() == 9  # three epochs of three steps, once each


def test_a_damaged_last_pt_is_refused_and_kept(data, run):
    train(make(depth=1), *data, replace(PLAIN, epochs=1), run)
    whole = (run.path / LAST).read_bytes()
    (run.path / LAST).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"last\.pt is truncated"):
        train(make(depth=1), *data, PLAIN, run, resume=True)
    assert (run.path / LAST).read_bytes() == whole[: len(whole) // 2]


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


@pytest.mark.parametrize(
    ("name", "undecayed"),
    [
        ("vit-tiny", {"cls_token", "pos_embed"}),
        ("mixer-tiny", set()),
        ("resnet-tiny", set()),
    ],
)
def test_only_kernels_decay(name, undecayed):
    model = make(name)
    names = {id(p): key for key, p in model.named_parameters()}
    decayed, rest = (
        {names[id(p)] for p in group["params"]}
        for group in make_optimizer(model, PLAIN).param_groups
    )
    kernels = {
        f"{key}.weight"
        for key, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }
    assert decayed == kernels
    assert rest == set(names.values()) - kernels
    assert undecayed <= rest
    assert any(key.endswith("bias") for key in rest)


@pytest.mark.parametrize("opt", ["adamw", "sgd"])
def test_without_a_gradient_kernels_shrink_and_nothing_else_moves(opt):
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5)
    before = copy.deepcopy(dict(model.named_parameters()))
    optimizer = make_optimizer(model, replace(PLAIN, opt=opt, lr=0.1, weight_decay=0.3))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        is_kernel = parameter.dim() > 1 and name not in ("cls_token", "pos_embed")
        torch.testing.assert_close(
            parameter, before[name] * (1 - 0.1 * 0.3 * is_kernel), rtol=1e-6, atol=0, msg=name
        )


def test_frozen_parameters_are_left_to_themselves(data, run):
    model = make(depth=1)
    model.patch_embed.requires_grad_(False)
    before = copy.deepcopy(model.patch_embed.state_dict())
    held = {id(p) for group in make_optimizer(model, PLAIN).param_groups for p in group["params"]}
    assert len(held) == sum(p.requires_grad for p in model.parameters())
    assert not held & {id(p) for p in model.patch_embed.parameters()}
    train(model, *data, replace(PLAIN, epochs=1, rho=0.1), run)
    assert_same(dict(model.patch_embed.state_dict()), dict(before))


def test_the_defaults_of_each_optimizer():
    for opt, (rate, decay) in OPTIMIZER_DEFAULTS.items():
        settings = TrainSettings(opt=opt)
        assert (settings.peak_lr, settings.decay) == (rate, decay)
        kernels, rest = make_optimizer(make(depth=1), settings).param_groups
        assert (kernels["lr"], kernels["weight_decay"]) == (rate, decay)
        assert (rest["lr"], rest["weight_decay"]) == (rate, 0.0)
    chosen = TrainSettings(lr=0.5, weight_decay=0.0)
    assert (chosen.peak_lr, chosen.decay) == (0.5, 0.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "--epochs has to be positive, got 0"),
        ({"batch_size": 0}, "--batch-size has to be positive"),
        ({"lr": 0.0}, "--lr has to be positive"),
        ({"lr": math.nan}, "--lr has to be positive"),
        ({"rho": -1.0}, "--rho can't be negative, got -1"),
        ({"rho": math.nan}, "--rho can't be negative"),
        ({"weight_decay": -0.1}, "--weight-decay can't be negative"),
        ({"warmup_epochs": -1.0}, "--warmup-epochs can't be negative"),
        ({"clip": -1.0}, "--clip can't be negative"),
        ({"momentum": -0.5}, "--momentum can't be negative"),
        ({"save_every": -1}, "--save-every can't be negative, got -1"),
    ],
)
def test_settings_that_no_training_can_have(changes, message):
    with pytest.raises(InputError, match=message):
        TrainSettings(**changes)


@pytest.mark.parametrize("name", ["rho", "lr", "warmup_epochs", "weight_decay", "clip"])
def test_settings_have_to_be_finite(name):
    with pytest.raises(InputError, match=f"--{name.replace('_', '-')} "):
        TrainSettings(**{name: math.inf})


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
    order = loop.epoch_order(samples, settings.seed, 4)
    losses, errors, norms = [], [], []
    for part in order[:48].split(16):
        outputs, targets = model(samples.fetch(part)), samples.targets[part]
        loss = F.cross_entropy(outputs, targets)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        losses.append(loss.item())
        errors.append((outputs.argmax(1) != targets).double().mean().item())
        norms.append(math.sqrt(sum(g.square().sum().item() for g in gradients)))
    optimizer = make_optimizer(model, settings)
    means = train_epoch(model, optimizer, samples, settings, 4, CPU)
    assert means.loss == pytest.approx(sum(losses) / 3, rel=1e-12)
    assert means.error == pytest.approx(100 * sum(errors) / 3, rel=1e-12)
    assert means.grad_norm == pytest.approx(sum(norms) / 3, rel=1e-12)


def test_evaluation_is_in_eval_mode_and_over_every_sample(data, monkeypatch):
    monkeypatch.setattr(loop, "EVAL_BATCH", 7)
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
    train_epoch(model, make_optimizer(model, settings), data[0], settings, epoch, CPU)
    return torch.cat(seen)


def test_each_sample_is_used_once_and_the_rest_is_dropped(data):
    inputs = fed(data, PLAIN)
    own = [tuple(row.flatten().tolist()) for row in data[0].fetch(torch.arange(52))]
    rows = [tuple(row.flatten().tolist()) for row in inputs]
    assert len(rows) == 48
    assert len(set(rows)) == len(rows)
    assert set(rows) <= set(own)


def test_augmentation_is_a_function_of_seed_and_epoch(data):
    settings = replace(PLAIN, augment="crop-flip")
    plain, augmented = fed(data, PLAIN), fed(data, settings)
    assert augmented.shape == plain.shape
    assert not torch.equal(augmented, plain)
    torch.manual_seed(9)
    assert torch.equal(fed(data, settings), augmented)
    assert not torch.equal(fed(data, settings, epoch=1), augmented)


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
    assert rows[0]["train_loss"] > 2.0
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
    with pytest.raises(DivergenceError, match=r"became nan at step 7 \(learning rate 1e\+30"):
        train(make(depth=1), *data, replace(settings, lr=1e30), run, resume=True)
    after = run.load(LAST)
    assert after["epoch"] == 2
    assert_same(after, before)
    assert run.read_metrics() == metrics
    make(depth=1).load_state_dict(after["model"])
    assert all(tensor.isfinite().all() for tensor in after["model"].values())


def test_a_divergence_by_the_last_step_of_an_epoch_is_one_too(data, run):
    """One step an epoch: the loss was sound before it, and the weights are not after it."""
    settings = replace(PLAIN, batch_size=52, lr=1e30, warmup_epochs=0.0, epochs=1)
    with pytest.raises(DivergenceError):
        train(make(depth=1), *data, settings, run)
    assert not (run.path / LAST).exists()


def test_a_divergence_at_the_very_first_step_leaves_no_checkpoint(data, run):
    broken = replace(data[0], inputs=data[0].inputs * math.nan)
    with pytest.raises(DivergenceError, match="at step 0"):
        train(make(depth=1), broken, data[1], PLAIN, run)
    assert list(run.path.iterdir()) == []
