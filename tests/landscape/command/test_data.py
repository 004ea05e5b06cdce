"""Pictures and data of the user's own."""

import shutil

import pytest

from landscape import cli
from landscape.checkpoints.run import RunDirectory
from tests.commands import status_of, write_pictures


def test_the_model_is_made_for_the_pictures(train, tmp_path, monkeypatch):
    """A relative folder is remembered whole, so that the run is at home anywhere."""
    write_pictures(tmp_path / "pictures", size=12)
    monkeypatch.chdir(tmp_path)
    words = ("--model", "vit-tiny", "--data", "imagefolder", "--data-dir", "pictures")
    assert train(*words, "--epochs", "2", "-b", "4", "--output-dir", "run")[0] == 0
    config = RunDirectory(tmp_path / "run").read_config()
    assert config["data"]["data_dir"] == str(tmp_path / "pictures")
    assert config["data_facts"] == {"image_size": 12, "channels": 3, "num_classes": 2}
    assert config["training"]["augment"] == "crop-flip"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert train("--resume", "--output-dir", "../run")[0] == 0


def test_held_out_pictures_of_another_size(train, tmp_path):
    """They are brought to the size of the training pictures, for which the model is made."""
    write_pictures(tmp_path / "pictures", size=12)
    (tmp_path / "pictures" / "train").rename(tmp_path / "train")
    shutil.rmtree(tmp_path / "pictures")
    write_pictures(tmp_path / "pictures", size=16)
    shutil.rmtree(tmp_path / "pictures" / "train")
    (tmp_path / "train").rename(tmp_path / "pictures" / "train")
    status, _, err = train(
        *("--model", "vit-tiny", "--data", "imagefolder", "--data-dir", tmp_path / "pictures"),
        *("--epochs", "1", "-b", "4", "--output-dir", tmp_path / "run"),
    )
    assert status == 0, err


def test_pictures_that_can_not_be_trained_with(refused, tmp_path):
    root = write_pictures(tmp_path / "pictures")
    words = ("--model", "resnet-tiny", "--data", "imagefolder", "--data-dir", root)
    words = (*words, "--epochs", "1", "-b", "4", "--output-dir", tmp_path / "run")
    broken = root / "val" / "b" / "1.png"
    broken.write_bytes(broken.read_bytes()[:60])
    assert f"unreadable picture {broken}: " in refused(*words)
    shutil.rmtree(root / "val" / "b")
    assert "different classes: b is in one only" in refused(*words)
    shutil.rmtree(root / "val")
    assert "has no val/ or test/ or validation/ folder" in refused(*words)
    shutil.rmtree(root)
    root.mkdir()
    assert "has no train/ folder" in refused(*words)
    for name in ("train", "val"):
        (root / name / "a").mkdir(parents=True)
    assert f"no pictures in {root / 'train'}" in refused(*words)
    assert not (tmp_path / "run").exists()


def test_a_model_and_data_of_the_users_own(train, refused, user_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, _ = train(
        *("--model", "mine.py:net", "--model-args", "width=9", "--data", "mine.py:data"),
        *("--epochs", "2", "-b", "8", "--output-dir", "run"),
    )
    assert status == 0
    config = RunDirectory(tmp_path / "run").read_config()
    assert config["model"] == {
        "name": f"{user_file}:net",
        "arguments": {"width": 9, "num_classes": 3},
    }
    assert config["data"]["data"] == f"{user_file}:data"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert f"names the model {user_file}:net" in refused("--resume", "--output-dir", "../run")
    same = ("--model", "../mine.py:net", "--data", "../mine.py:data")
    assert train(*same, "--resume", "--output-dir", "../run")[0] == 0


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        ("net", "regression", "targets that are class numbers"),
        ("tokens", "data", "logits (N, classes)"),
        ("broken_net", "data", "broken_net failed: ZeroDivisionError"),
        ("net", "absent", "has no function 'absent'"),
        ("net", "unlike", "the validation data has classes numbered 7 to 9, the model 3 outputs"),
    ],
)
def test_a_function_that_does_not_fit(refused, user_file, tmp_path, model, data, message):
    line = refused(
        *("--model", f"{user_file}:{model}", "--data", f"{user_file}:{data}"),
        *("--epochs", "1", "--output-dir", tmp_path / "run"),
    )
    assert message in line
    assert not (tmp_path / "run").exists()


def test_data_in_double_precision_train_a_network_in_single(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "from torch import nn\n"
        "def data(split):\n"
        "    draw = np.random.default_rng(len(split))\n"
        "    return draw.normal(size=(60, 4)), np.arange(60) % 3\n"
        "def net():\n"
        "    return nn.Linear(4, 3)\n"
    )
    mine = tmp_path / "mine.py"
    words = ("--model", f"{mine}:net", "--data", f"{mine}:data", "--epochs", "1", "-b", "20")
    assert status_of(cli.main, *words, "--quiet", "--output-dir", tmp_path / "run") == 0
    assert "epoch 1" in capsys.readouterr().out


def test_data_without_a_division_are_pointed_out(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "def data():\n"
        "    return torch.arange(240.0).view(60, 4) / 240, torch.arange(60) % 3\n"
        "def net():\n"
        "    return torch.nn.Linear(4, 3)\n"
    )
    mine = tmp_path / "mine.py"
    words = ("--model", f"{mine}:net", "--data", f"{mine}:data", "--epochs", "1", "-b", "20")
    assert status_of(cli.main, *words, "--output-dir", tmp_path / "run") == 0
    assert "the same samples for training and validation" in capsys.readouterr().err
