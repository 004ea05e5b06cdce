"""The headline numbers of every analysis, each with its error and unit."""

import json
import math
from dataclasses import dataclass, field

import pytest

from analyses.headline_numbers import headline_entries
from landscape.results.result import Array, plain
from tests.analyses.problems import NAMES, result


@dataclass
class Headline:
    """As much of a result as is read."""

    numbers: dict
    units: dict = field(default_factory=dict)
    stored: dict = field(default_factory=dict)

    def headline(self):
        return self.numbers

    def headline_units(self):
        return self.units

    def arrays(self):
        return self.stored


def errors_of(**numbers):
    return {entry.name: entry.error for entry in headline_entries(Headline(numbers))}


def test_an_error_is_with_its_number():
    assert errors_of(loss=2.0, loss_stderr=0.5) == {"loss": 0.5}
    assert errors_of(a={"eigenvalue": 1, "sampling_error": 0.1}) == {"a.eigenvalue": 0.1}
    assert errors_of(rank={"x": 1.0}, rank_stderr={"x": 2.0}) == {"rank.x": 2.0}
    assert errors_of(mean=1.0, layers={"x": 3.0}, stderr={"x": 0.3}) == {
        "mean": None,
        "layers.x": 0.3,
    }
    assert errors_of(s=[1, 2], mean=[3, 4], stderr=[0.3, None])["mean[0]"] == 0.3


def test_an_error_that_is_not_known_is_told_from_one_that_is_not_stated():
    entries = errors_of(trace=1.0, trace_stderr=math.nan, norm=2.0)
    assert math.isnan(entries["trace"])
    assert entries["norm"] is None


def test_what_is_called_an_error_without_its_number_is_a_number():
    assert errors_of(train_error=5.0, evaluation={"error": 0.0, "compiled": False}) == {
        "train_error": None,
        "evaluation.error": None,
        "evaluation.compiled": None,
    }
    assert set(errors_of(loss=[1, 2], loss_stderr=0.5)) == {"loss[0]", "loss[1]", "loss_stderr"}


def test_a_unit_is_that_of_the_array_or_of_the_innermost_name():
    made = Headline(
        {"loss": 1.0, "deep": {"inner": {"a": 2.0}, "b": 3.0}, "c": 4.0},
        {"deep": "m", "inner": "s"},
        {"loss": Array(1.0, "nats"), "deep/b": Array(3.0, "kg")},
    )
    units = {entry.name: entry.unit for entry in headline_entries(made)}
    assert units == {"loss": "nats", "deep.inner.a": "s", "deep.b": "kg", "c": ""}


def leaves(value):
    """The values within JSON types, whatever their names."""
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return [leaf for item in items for leaf in leaves(item)]
    return [value]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_the_json_is_lost_or_there_twice(name, tmp_path):
    measured = result(name)
    measured.write_json(tmp_path / "x.json")
    stored = json.loads((tmp_path / "x.json").read_text())
    of_json = leaves({key: stored[key] for key in plain(measured.headline())})
    entries = headline_entries(measured)
    assert len({entry.name for entry in entries}) == len(entries)
    values = [entry.value for entry in entries]
    errors = [entry.error for entry in entries if entry.error is not None]
    errors = [None if math.isnan(error) else error for error in errors]
    assert sorted(map(str, [*values, *errors])) == sorted(map(str, of_json))


@pytest.mark.parametrize("name", NAMES)
def test_losses_and_curvatures_have_the_unit_of_the_loss(name):
    for entry in headline_entries(result(name)):
        words = entry.name.replace("_", ".").replace("[", ".").split(".")
        if entry.number is not None and {"loss", "eigenvalue", "trace"} & {words[0], words[-1]}:
            assert entry.unit == "nats", entry.name
