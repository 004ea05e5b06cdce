"""Training on a device: the curves of the processor, in float32, bfloat16, compiled, with SAM."""

from dataclasses import replace

import pytest
import torch

from landscape import SAM
from landscape.checkpoints.run import LAST, RunDirectory
from landscape.models.resnet import ResNet
from landscape.training.augmentation.augment import Augmentation
from landscape.training.loop import train
from landscape.training.sam.settings import VARIANTS
from landscape.training.settings import TrainSettings
from tests.cuda.examples import skip_on_the_processor
from tests.landscape.training.runs import make, some
from tests.landscape.training.sam.problems import Problem

SETTINGS = TrainSettings(batch_size=16, epochs=2, warmup_epochs=1.0, lr=1e-3)
COMPARED = ("train_loss", "val_loss", "grad_norm", "surrogate_gap")
# Of a loss after a few steps; bfloat16 keeps 8 bits.
FLOAT32, BFLOAT16 = 1e-4, 3e-2
WAYS = {
    "plain": {},
    "sgd": {"opt": "sgd", "lr": 0.01},
    "sam": {"rho": 0.05},
    "asam": {"rho": 0.5, "sam": "asam"},
    "gsam": {"rho": 0.05, "sam": "gsam", "clip": 1.0},
    "looksam": {"rho": 0.05, "sam": "looksam", "sam_every": 2},
    "own perturbations": {"rho": 0.05, "sam_batch": 8},
    "in parts": {"accumulate": 2, "rho": 0.05},
    "recomputed": {"recompute": True},
    "averaged": {"ema": 0.9},
    "channels first": {"channels_last": False},
    "augmented": {"augment": "crop-flip", "mixup": 0.5},
    "inception": {"augment": "inception", "mixup": 0.5, "mixup_lambda": "batch"},
    "adversarial": {"task": "adversarial"},
    "contrastive": {"task": "contrastive"},
}
EXAMPLES = {"gsam", "augmented"}


def small_resnet():
    torch.manual_seed(0)
    return ResNet(layers=(1, 1), block="basic", width=4, stem="small", num_classes=10, channels=1)


def small_vit():
    return make("vit-tiny", depth=2, dim=8, mlp_dim=8)


def rows(folder, device, *, model=small_vit, resume=False, **changes):
    folder.mkdir(exist_ok=True)
    settings = replace(SETTINGS, device=str(device), **changes)
    run = RunDirectory(folder)
    return train(model(), some("train", 48), some("test", 20), settings, run, resume=resume)


def assert_alike(found, expected, tolerance):
    for row, other in zip(found, expected, strict=True):
        for name in COMPARED:
            assert row[name] == pytest.approx(other[name], rel=tolerance, abs=tolerance), name


@pytest.mark.parametrize("way", list(WAYS))
def test_the_curve_is_that_of_the_processor(way, device, tmp_path):
    skip_on_the_processor(device, unless=way in EXAMPLES)
    expected = rows(tmp_path / "processor", "cpu", **WAYS[way])
    assert_alike(rows(tmp_path / "device", device, **WAYS[way]), expected, FLOAT32)


@pytest.mark.parametrize("rho", [0.0, 0.05])
def test_a_network_with_batch_norm(rho, device, tmp_path):
    changes = {"model": small_resnet, "rho": rho, "opt": "sgd", "lr": 0.01}
    expected = rows(tmp_path / "processor", "cpu", **changes)
    assert_alike(rows(tmp_path / "device", device, **changes), expected, FLOAT32)


@pytest.mark.parametrize("model", [small_vit, small_resnet])
@pytest.mark.parametrize("rho", [0.0, 0.05])
def test_bf16_is_near_float32(model, rho, device, tmp_path):
    skip_on_the_processor(device, unless=model is small_vit and rho == 0)
    expected = rows(tmp_path / "float32", device, model=model, rho=rho)
    found = rows(tmp_path / "bf16", device, model=model, rho=rho, precision="bf16")
    for row, other in zip(found, expected, strict=True):
        assert row["train_loss"] == pytest.approx(other["train_loss"], rel=BFLOAT16)
    assert [row["train_loss"] for row in found] != [row["train_loss"] for row in expected]


@pytest.mark.cuda
@pytest.mark.filterwarnings("default")  # torch's compiler warns of this and that
@pytest.mark.parametrize("rho", [0.0, 0.05])
def test_compiled(rho, tmp_path):
    expected = rows(tmp_path / "eager", "cuda", rho=rho)
    assert_alike(rows(tmp_path / "compiled", "cuda", rho=rho, compile=True), expected, FLOAT32)


def test_it_goes_on_from_where_it_stopped(device, tmp_path):
    changes = {"rho": 0.05, "sam": "looksam", "sam_every": 2, "ema": 0.9}
    whole = rows(tmp_path / "whole", device, **changes, schedule="constant")
    part = tmp_path / "part"
    rows(part, device, **changes, schedule="constant", epochs=1)
    rest = rows(part, device, **changes, schedule="constant", resume=True)
    assert_alike(rest, whole, FLOAT32)


def test_a_run_of_a_device_is_read_on_the_processor(device, tmp_path):
    rows(tmp_path / "run", device, epochs=1)
    content = RunDirectory(tmp_path / "run").load(LAST)
    assert {value.device.type for value in content["model"].values()} == {"cpu"}


@pytest.mark.parametrize("method", VARIANTS)
def test_the_optimizer_takes_the_steps_of_the_processor(method, device):
    vectors = []
    for place in (torch.device("cpu"), device):
        problem = Problem()
        problem.model.to(place)
        problem.inputs, problem.targets = problem.inputs.to(place), problem.targets.to(place)
        optimizer = SAM(
            problem.model.parameters(), torch.optim.SGD, 0.2, method=method, lr=0.3, momentum=0.9
        )
        for _ in range(4):
            optimizer.step(problem.closure)
        vectors.append(problem.vector().cpu())
    torch.testing.assert_close(*vectors, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["crop-flip", "inception"])
def test_pictures_are_augmented_alike(kind, device):
    settings = replace(SETTINGS, augment=kind, randaugment=(2.0, 9.0), mixup=0.5)
    made = []
    for place in ("cpu", device):
        samples = some("train", 32)
        augmentation = Augmentation(settings, samples, 3)
        inputs = augmentation.pictures(samples.inputs.to(place), 1, 2)
        made.append(
            [part.cpu() for part in augmentation.mix(inputs, samples.targets.to(place), 1, 2)]
        )
    for found, expected in zip(*made, strict=True):
        # A pixel that lies on the border between two levels may fall on the other side of it.
        assert (found - expected).abs().gt(1e-5).float().mean() < 0.01
