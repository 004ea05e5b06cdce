"""Saved epochs in the order that their names say, whoever saved them."""

import logging
import random

import pytest

from landscape.checkpoints.epochs import order_epochs, saved_epochs
from landscape.errors import InputError

# Names in their right order, the numbers they stand for, and what these count.
NAMES = [
    (
        ("epoch=3-val_loss=0.125.ckpt", "epoch=9-val_loss=0.5.ckpt", "epoch=10-val_loss=0.1.ckpt"),
        (3, 9, 10),
        "epoch",
    ),
    (("epoch=0-step=10.ckpt", "epoch=1-step=20.ckpt"), (0, 1), "epoch"),
    (("epoch=1-step=500.ckpt", "epoch=1-step=1000.ckpt"), (500, 1000), "step"),
    (("ckpt_9.pt", "ckpt_10.pt", "ckpt_100.pt"), (9, 10, 100), "checkpoint"),
    (("model_0003.pth", "model_0020.pth"), (3, 20), "checkpoint"),
    (("step=900.ckpt", "step=1000.ckpt"), (900, 1000), "step"),
    (("iter_900.pth", "iter_1000.pth"), (900, 1000), "step"),
    (("global_step90.pt", "global_step100.pt"), (90, 100), "step"),
    (("vit-epoch-2-acc-0.95.pth", "vit-epoch-10-acc-0.9.pth"), (2, 10), "epoch"),
    (("Epoch2.pt", "Epoch10.pt"), (2, 10), "epoch"),
    (("ep02.pt", "ep10.pt"), (2, 10), "epoch"),
    (("checkpoint-2.pth.tar", "checkpoint-10.pth.tar"), (2, 10), "checkpoint"),
    (("resnet18_9.th", "resnet18_10.th"), (9, 10), "checkpoint"),
    (("9_resnet18.th", "10_resnet18.th"), (9, 10), "checkpoint"),
    (("step_5/model.bin", "step_40/model.bin"), (5, 40), "step"),
    (("7/weights/model.pt", "12/weights/model.pt"), (7, 12), "checkpoint"),
    (("run2/a.pt", "run2/b.pt"), (0, 1), "checkpoint"),
]


@pytest.mark.parametrize(("names", "numbers", "unit"), NAMES, ids=[case[0][0] for case in NAMES])
def test_the_natural_order(tmp_path, names, numbers, unit):
    paths = [tmp_path / name for name in names]
    shuffled = paths if numbers[0] == 0 and unit == "checkpoint" else paths[::-1]
    saved = order_epochs(shuffled)
    assert [member.path for member in saved.members] == paths
    assert tuple(member.number for member in saved.members) == numbers
    assert saved.unit == unit


def touch(folder, *names):
    paths = []
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        paths.append(path)
    return paths


def test_a_pattern_with_folders_of_any_depth(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    names = [f"logs/version_0/checkpoints/epoch={k}.ckpt" for k in range(12)]
    paths = touch(tmp_path, *names, "logs/version_0/checkpoints/last.ckpt")[:-1]
    saved = saved_epochs(None, [f"{tmp_path}/logs/**/*.ckpt"])
    assert [member.path for member in saved.members] == paths
    assert caplog.messages == ["left out, as the name says no epoch or step: last.ckpt"]
    monkeypatch.chdir(tmp_path / "logs")
    relative = saved_epochs(None, ["**/epoch=*.ckpt"])
    assert [member.number for member in relative.members] == list(range(12))


def test_files_by_name(tmp_path):
    paths = touch(tmp_path, *(f"ckpt_{k}.pt" for k in range(8, 13)))
    shuffled = random.Random(0).sample(paths, len(paths))
    assert [m.path for m in saved_epochs(None, list(map(str, shuffled))).members] == paths


def test_what_gives_no_order_is_refused(tmp_path):
    first, last, again = touch(tmp_path, "epoch=1.ckpt", "last.ckpt", "epoch=1-v1.ckpt")
    with pytest.raises(InputError, match=r"last.ckpt says no epoch or step, those of others do"):
        order_epochs([first, last])
    with pytest.raises(InputError, match=r"are both epoch 1; leave one out"):
        order_epochs([first, again])
    with pytest.raises(InputError, match="matches no files"):
        saved_epochs(None, [str(tmp_path / "*.pth")])


@pytest.mark.parametrize(
    ("chosen", "beside", "others"),
    [
        ("epoch=3-acc=0.5.ckpt", ("epoch=4-acc=0.6.ckpt",), ("last.ckpt", "hparams.yaml")),
        (
            "checkpoint-3.pth.tar",
            ("checkpoint-10.pth.tar",),
            ("model_best.pth.tar", "last.pth.tar"),
        ),
        ("checkpoint-5/model.bin", ("checkpoint-50/model.bin",), ("runs/model.bin",)),
    ],
)
def test_those_beside_a_checkpoint(tmp_path, chosen, beside, others):
    path, *rest = touch(tmp_path, chosen, *beside)
    touch(tmp_path, *others)
    assert [member.path for member in saved_epochs(path).members] == [path, *rest]


def test_a_trainers_folders_are_steps(tmp_path):
    for step in (500, 1000):
        touch(tmp_path, f"checkpoint-{step}/model.safetensors")
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").touch()
    saved = saved_epochs(tmp_path / "checkpoint-1000")
    assert ([member.number for member in saved.members], saved.unit) == ([500, 1000], "step")


@pytest.mark.parametrize("name", ["seed1.pt", "resnet18.pt", "best.ckpt"])
def test_files_that_say_no_epoch_have_none_beside_them(tmp_path, name):
    """Networks of other seeds or sizes are no training."""
    path, _ = touch(tmp_path, name, "seed2.pt")
    assert saved_epochs(path).members == ()
    assert saved_epochs(None).members == ()
