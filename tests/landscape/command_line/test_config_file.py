"""Settings out of a file do what flags do, and nothing that the command line has to name."""

import sys

import pytest

from landscape.errors import InputError
from tests.landscape.command_line.parsed import plotted, trained

TOML = """\
model = "vit-tiny"
model-args = { depth = 2, norm = "pre", sizes = [1, 2] }
data = "digits"
output_dir = "runs/vit"
lr = 1e-3
nesterov = false
mean = [0.5, -0.25]
randaugment = [2, 15]
eval = ["corruptions"]
"""
YAML = """\
model: vit-tiny
model_args: [depth=2, norm=pre, "sizes=1,2"]
data: digits
output-dir: runs/vit
lr: 0.001
nesterov: no
mean: [0.5, -0.25]
randaugment: [2, 15]
eval: [corruptions]
"""
FLAGS = [
    "--model", "vit-tiny", "--model-args", "depth=2", "norm=pre", "sizes=1,2", "--data", "digits",
    "--output-dir", "runs/vit", "--lr", "1e-3", "--no-nesterov", "--mean", "0.5", "-0.25",
    "--randaugment", "2", "15", "--eval", "corruptions",
]  # fmt: skip


@pytest.mark.parametrize(("content", "name"), [(TOML, "a.toml"), (YAML, "a.yaml"), (YAML, "a.yml")])
def test_a_file_is_what_its_flags_are(write, content, name):
    assert trained(write(content, name)) == trained(FLAGS)


def test_flags_win_wherever_they_stand(write):
    config = write(TOML, "a.toml")
    for words in ([*config, "--lr", "0.5"], ["--lr=0.5", *config]):
        assert trained(words) == {**trained(FLAGS), "lr": 0.5}
    assert trained(["-b8", *write({"batch_size": 4, "output_dir": "a"})])["batch_size"] == 8
    assert plotted(["line", "a", *write({"x": "-1:1:5"}), "--x", "0:1:3"])["x"].stop == 1.0


def test_checkpoints_and_subcommand_are_words_of_the_command_line(write):
    settings = {"samples": 64, "force": False, "metrics": ["top5_error", "brier"], "zmin": None}
    expected = plotted(["line", "run", "--samples", "64", "--metrics", "top5_error,brier"])
    config = write(settings)
    assert plotted(["line", *config, "run"]) == plotted(["line", "run", *config]) == expected
    assert plotted(["line", "--", "run", "--config"])["checkpoints"] == ["run", "--config"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"sample": 3}, "has the unknown key 'sample'; did you mean samples?"),
        ({"qqqq": 3}, "has the unknown key 'qqqq'; keys are flags without their dashes"),
        ({"test-samples": 3, "test_samples": 3}, "has the key test_samples twice"),
        ({"checkpoints": "run"}, "has the unknown key 'checkpoints'"),
        ({"samples": "many"}, "samples has to be a whole number, got the text 'many'"),
        ({"samples": 2.5}, "samples has to be a whole number, got 2.5"),
        ({"samples": True}, "samples has to be a whole number, got true"),
        ({"samples": [1, 2]}, "samples has to be a whole number, got a list of 2"),
        ({"samples": {"a": 1}}, "samples has to be a whole number, got an object of 1"),
        ({"zmax": "high"}, "zmax has to be a number, got the text 'high'"),
        ({"bn": "none"}, "bn has to be one of fixed, reestimate, got the text 'none'"),
        ({"eigenvalues": "yes"}, "eigenvalues has to be true or false, got the text 'yes'"),
        ({"mean": [0.5, None]}, "mean has null in a list"),
        ({"mean": [0.5, "/etc/passwd"]}, "mean has to be a number, got the text '/etc/passwd'"),
        ({"mean": ["--trust"]}, "mean can't be the text '--trust', which starts with a dash"),
        ({"model": "vit", "model_args": ["--trust"]}, "model_args: expected KEY=VALUE"),
        ({"model": "vit", "model_args": "depth"}, "settings.json: model_args: expected KEY=VALUE"),
        (
            {"line": {"vit": {"loss": 1.5}}},
            "holds the numbers of several results and no settings; pass the file of one result, "
            "LABEL/line.json beside it",
        ),
        ({"samples": 2**70}, "samples has to be a number of at most 64 bits"),
        ({"loss": "a\u0007"}, "loss has to be a text without control characters"),
        ({"trust": True}, "has the key trust, which a file can't say of itself"),
        ("[1, 2]", "expected an object"),
        ("{", "is damaged"),
    ],
)
def test_what_is_wrong_is_one_line(write, content, said):
    with pytest.raises(InputError) as refused:
        plotted(["line", "run", *write(content)])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.toml", "a = 1\na = 2\n", "is no TOML: "),
        (
            "a.toml",
            "seed = 2020-01-01\n",
            "seed is a date, the text '2020-01-01'; put it in quotes",
        ),
        ("a.toml", "seed = nan\n", "seed has to be a finite number"),
        ("a.yaml", "a: &x [1]\nb: *x\n", "it has an alias"),
        ("a.yaml", "a: 1\na: 2\n", "a key is there twice"),
        ("a.yaml", "1: 2\n", "the key 1 has to be a text"),
        ("a.yaml", "a: !!python/object/apply:os.system [ls]\n", "is no YAML of settings"),
        ("a.yaml", "a: [" * 5000, "is no YAML of settings"),
        ("a.ini", "", "expects a .toml, .yaml or .json file, or a result (.h5)"),
        ("a.h5", "loss", "a.h5 is damaged or not a file of results"),
    ],
)
def test_a_file_of_another_kind_is_refused(write, name, content, said):
    with pytest.raises(InputError) as refused:
        plotted(["line", "run", *write(content, name)])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_has_to_be_there_and_be_one(tmp_path, write):
    for words, said in (
        (["--config", str(tmp_path / "absent.toml")], "no such file"),
        (["--config", str(tmp_path / "absent.h5")], "no such file"),
        (["--config"], "--config expects a .toml"),
        ([*write({}), *write({})], "--config is given 2 times"),
    ):
        with pytest.raises(InputError, match=said):
            trained(words)


def test_without_a_subcommand_the_parser_says_what_is_missing(write, capsys):
    with pytest.raises(SystemExit):
        plotted(write({"samples": 3}))
    assert "the following arguments are required: ANALYSIS" in capsys.readouterr().err


def test_yaml_is_optional(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(
        InputError, match=r"needs PyYAML \(pip install '.*\[yaml\]'\); or write it as"
    ):
        trained(write(YAML, "a.yaml"))


# What a file would do, by the command, the settings, and what is said.
REFUSED = [
    ("line", {"model": "net.py:make"}, "would run the code in net.py; .* pass --model net.py:make"),
    ("line", {"data": "d.py:load"}, "would run the code in d.py"),
    ("line", {"loss": "d.py:f"}, "would run the code in d.py"),
    ("line", {"step": "d.py:f"}, "would run the code in d.py"),
    ("line", {"metrics": ["brier", "d.py:f"]}, "would run the code in d.py"),
    ("line", {"metrics": "brier,d.py:f"}, "would run the code in d.py"),
    ("line", {"model": "hf:there"}, "would open the folder there"),
    ("line", {"model": "timm:hf_hub:a/b"}, "would let timm open or download"),
    ("line", {"model": "timm:resnet18", "model_args": {"pretrained": True}}, "pretrained=True"),
    ("line", {"model": "timm:resnet18", "model_args": ["pretrained=true"]}, "pretrained=True"),
    ("line", {"model_args": {"pretrained": True}}, "has model_args without a model"),
    ("line", {"directions": "../a.h5"}, "would open the file ../a.h5"),
    ("line", {"toward_x": "weights"}, "would open the file weights"),
    ("line", {"style": "a.mplstyle"}, "would open the file a.mplstyle"),
    ("line", {"output_dir": "/etc"}, "would write outside of the current folder"),
    ("line", {"output-dir": "a/../../b"}, "would write outside of the current folder"),
    ("line", {"force": True}, "has force, which would overwrite files"),
    ("trajectory", {"epochs": ["/tmp/*.pt"]}, "would open the file"),
    ("trajectory", {"epochs": ["weights"]}, "would open the file weights"),
    ("hessian", {"group": ["all=(a+)+$"]}, "would be matched for as long as its author likes"),
    ("report", {"sets": {"a": "/tmp/a"}}, "would open the file"),
]


@pytest.mark.parametrize(("command", "settings", "said"), REFUSED)
def test_a_file_names_no_code_and_no_path(write, command, settings, said):
    config = write(settings)
    with pytest.raises(InputError, match=said):
        plotted([command, "run", *config])
    plotted([command, "run", *config, "--trust"])
    with pytest.raises(InputError, match=said):  # a file called --trust
        plotted([command, *config, "--", "--trust"])


def test_the_command_line_allows_what_it_names(write):
    config = write({"model": "net.py:make", "data": "digits"})
    assert plotted(["line", "run", *config, "--model", "net.py:make"])["model"] == "net.py:make"
    folder = write({"data_dir": "/somewhere"}, "folder.json")
    assert plotted(["line", "run", *folder, "--data", "cifar10"])["data_dir"] == "/somewhere"
    with pytest.raises(InputError, match="be given to the code of --data"):
        plotted(["line", "run", *folder, "--data", "d.py:load"])


def test_words_in_place_of_paths_are_allowed(write):
    assert plotted(["line", "a", *write({"directions": "gradient"})])["directions"] == "gradient"
    assert plotted(["line", "a", *write({"style": "ggplot"})])["style"] == "ggplot"
