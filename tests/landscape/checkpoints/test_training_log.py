"""The logs of other tools, by the names that metrics.csv has for their columns."""

import json
import math

import numpy as np
import pytest

from landscape.checkpoints.logs.columns import by_our_names
from landscape.checkpoints.logs.training_log import find_log
from landscape.errors import InputError

TIMM = """\
epoch,train_loss,eval_loss,eval_top1,eval_top5,lr
0,2.3,2.2,0.9,50.0,0.1
1,2.0,1.9,30.25,70.0,0.05
"""
# As CSVLogger writes it: a row for each thing that is logged; learning rates have a step alone.
LIGHTNING = """\
epoch,lr-SGD,step,train/acc,train_loss,val_acc,val_loss
,0.1,0,,,,
0,,0,0.25,1.0,,
0,,1,0.75,3.0,,
0,,1,,,0.5,1.5
,0.05,2,,,,
1,,2,1.0,0.5,,
1,,3,1.0,1.5,,
1,,3,,,0.625,1.25
"""
TRAINER = {
    "log_history": [
        {"epoch": 0.5, "loss": 2.0, "learning_rate": 0.02, "grad_norm": 1.0, "step": 10},
        {"epoch": 1.0, "loss": 1.0, "learning_rate": 0.01, "grad_norm": 2.0, "step": 20},
        {"epoch": 1.0, "eval_loss": 1.5, "eval_accuracy": 0.25, "eval_runtime": 0.1, "step": 20},
        {"epoch": 1.0, "train_loss": 1.5, "train_runtime": 9.0, "total_flos": 1.0, "step": 20},
    ]
}


def test_of_timm(tmp_path):
    (tmp_path / "summary.csv").write_text(TIMM)
    (tmp_path / "checkpoint-1.pth.tar").touch()
    log = find_log(tmp_path / "checkpoint-1.pth.tar")
    assert log.path.name == "summary.csv"
    columns = {name: values.tolist() for name, values in log.columns.items()}
    assert columns == {
        "epoch": [0, 1],
        "train_loss": [2.3, 2.0],
        "val_loss": [2.2, 1.9],
        "val_accuracy": [0.9, 30.25],  # percent always
        "eval_top5": [50, 70],
        "lr": [0.1, 0.05],
    }
    assert log.learning_rates("checkpoint") == {0: 0.1, 1: 0.05}


def test_of_lightning(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "epoch=0.ckpt").touch()
    (tmp_path / "metrics.csv").write_text(LIGHTNING)
    log = find_log(tmp_path / "checkpoints" / "epoch=0.ckpt")
    columns = {name: values.tolist() for name, values in log.columns.items()}
    assert columns == {
        "epoch": [0, 1],
        "step": [1, 3],
        "train_loss": [2.0, 1.0],  # the mean of an epoch
        "train_accuracy": [50, 100],
        "train_error": [50, 0],
        "val_loss": [1.5, 1.25],
        "val_accuracy": [50, 62.5],
        "lr": [0.1, 0.05],
    }
    assert log.learning_rates("epoch") == {0: 0.1, 1: 0.05}


def test_of_hugging_face(tmp_path):
    for step, entries in ((10, 1), (20, 4)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        state = {"log_history": TRAINER["log_history"][:entries]}
        (folder / "trainer_state.json").write_text(json.dumps(state))
    log = find_log(tmp_path)  # that of the last checkpoint
    assert log.path.parent.name == "checkpoint-20"
    columns = {name: values.tolist() for name, values in log.columns.items()}
    assert columns.pop("eval_runtime")[1] == 0.1
    assert all(math.isnan(columns[name].pop(0)) for name in ("val_loss", "val_accuracy"))
    assert columns == {
        "epoch": [0.5, 1.0],
        "step": [10, 20],
        "train_loss": [2.0, 1.0],
        "lr": [0.02, 0.01],
        "grad_norm": [1.0, 2.0],
        "val_loss": [1.5],
        "val_accuracy": [25],
    }
    assert log.learning_rates("step") == {10: 0.02, 20: 0.01}
    assert len(find_log(tmp_path / "checkpoint-10").columns["epoch"]) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("summary.csv", "", "is no training log: expected a header with epoch or step"),
        ("summary.csv", "a,b\n1,2\n", "is no training log"),
        ("summary.csv", "epoch,loss\n,\n", "has no numbers in its epoch column"),
        ("summary.csv", "step,loss\n,1.0\n", "has no numbers in its step column"),
        ("trainer_state.json", "{", "is damaged"),
        ("trainer_state.json", "[]", "is damaged: expected an object"),
        ("trainer_state.json", "{}", "has no log_history"),
        ("trainer_state.json", '{"log_history": []}', "nothing was logged"),
        ("trainer_state.json", '{"log_history": [3, {"step": "a"}]}', "nothing was logged"),
    ],
)
def test_damaged_logs_are_one_line(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=said):
        find_log(tmp_path / name)


def test_another_table_of_that_name_is_passed_over(tmp_path):
    (tmp_path / "summary.csv").write_text("layer,params\nconv,3\n")
    assert find_log(tmp_path) is None
    (tmp_path / "metrics.csv").write_text("epoch,loss\n1,0.5\n")
    assert find_log(tmp_path).path == tmp_path / "metrics.csv"


def test_many_rows_of_a_monitor_take_no_time(tmp_path):
    rows = [f"{step},,0.1" for step in range(20_000)] + ["19999,4,"]
    (tmp_path / "metrics.csv").write_text("step,epoch,lr\n" + "\n".join(rows) + "\n")
    assert find_log(tmp_path).columns["epoch"].tolist() == [4.0]


def test_a_binary_file_is_no_log(tmp_path):
    (tmp_path / "metrics.csv").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match=r"metrics.csv is (damaged|no training log)"):
        find_log(tmp_path / "metrics.csv")


def test_there_may_be_none(tmp_path):
    (tmp_path / "a.pt").touch()
    assert find_log(tmp_path / "a.pt") is None
    assert find_log(tmp_path / "missing") is None


def test_names_that_clash_and_steps_alone(tmp_path):
    values = np.array([1.0, 2.0])
    renamed = by_our_names({"train/loss": values, "loss": 2 * values, "lr-Adam/pg1": values})
    assert renamed["train_loss"] is values
    assert set(renamed) == {"train_loss", "loss", "lr"}
    (tmp_path / "a.csv").write_text("step,loss\n10,1.0\n20,0.5\n")
    assert find_log(tmp_path / "a.csv").columns["epoch"].tolist() == [10, 20]
