"""Results as files of settings: what they repeat, and what is refused."""

import json

import h5py
import numpy as np
import pytest

from landscape.command_line.content import MOST_BYTES
from landscape.errors import InputError
from tests.landscape.command_line.parsed import plotted, trained

RESULT = {
    "label": "vit",
    "analysis": "surface",
    "loss": 1.5,
    "settings": {"x": "-1:1:5", "y": "0:1:3", "seed": 3, "directions": "gradient", "later": 1},
    "provenance": {
        "num_samples": 64,
        "origin": {"model": "vit", "model_args": {"dim": 8}, "data": "digits", "split": "test",
                   "seed": 3, "weights_key_given": ""},
    },
}  # fmt: skip


@pytest.fixture
def write_arrays(tmp_path):
    """Write an HDF5 file with attributes; returns the words that name it."""

    def write(attributes):
        path = tmp_path / "arrays.h5"
        with h5py.File(path, "w", libver=("v108", "v108")) as file:
            for key, value in attributes.items():
                text = value if isinstance(value, str) else json.dumps(value)
                file.attrs[key] = np.bytes_(text.encode())
        return ["--config", str(path)]

    return write


def test_a_result_of_an_earlier_version_repeats_its_settings(write):
    words = "--x=-1:1:5 --y=0:1:3 --seed 3 --directions gradient --model vit --model-args dim=8"
    sample = "--data digits --split test --samples 64"
    expected = plotted(["surface", "run", *words.split(), *sample.split()])
    assert plotted(["surface", "run", *write(RESULT)]) == expected


def test_another_analysis_takes_model_and_sample_alone(write):
    words = "--seed 3 --model vit --model-args dim=8 --data digits --split test --samples 64"
    assert plotted(["norms", "run", *write(RESULT)]) == plotted(["norms", "run", *words.split()])
    with pytest.raises(InputError, match="is a result; landscape-train takes a run's config.json"):
        trained(write(RESULT))


def test_the_arrays_of_a_result_are_as_good_as_its_json(write, write_arrays):
    assert plotted(["surface", "run", *write_arrays(RESULT)]) == plotted(
        ["surface", "run", *write(RESULT)]
    )
    with pytest.raises(InputError, match="is a result; landscape-train takes a run's config.json"):
        trained(write_arrays(RESULT))


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({}, "is no result of landscape-plot, and holds no settings"),
        ({"analysis": "surface", "settings": "{}"}, "is no result of landscape-plot"),
        ({**RESULT, "settings": "[1"}, "settings is damaged: Expecting ',' delimiter"),
        ({**RESULT, "settings": "[1]"}, "settings is damaged: expected an object, got list"),
        ({**RESULT, "settings": " " * (MOST_BYTES + 1)}, "signs of settings, at most 4,194,304"),
        ({**RESULT, "provenance": {"origin": 3}}, "have to be objects"),
    ],
    ids=str,
)
def test_arrays_without_settings_are_refused(write_arrays, attributes, said):
    with pytest.raises(InputError) as refused:
        plotted(["surface", "run", *write_arrays(attributes)])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_forged_result_names_no_code(write, write_arrays):
    origin = {"command": {"model": "net.py:make", "data": "digits"}}
    forged = {**RESULT, "provenance": {"origin": origin}}
    for config in (write(forged), write_arrays(forged)):
        with pytest.raises(InputError, match="would run the code in net.py"):
            plotted(["surface", "run", *config])
    with pytest.raises(InputError, match="have to be objects"):
        plotted(["surface", "run", *write({**RESULT, "settings": 3})])
