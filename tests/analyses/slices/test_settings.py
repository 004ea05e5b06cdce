"""The settings that lines and planes share."""

import subprocess
import sys
from dataclasses import fields

import pytest

from analyses import interpolate, line, surface, trajectory
from analyses.slices.grid import Axis
from analyses.slices.settings import SliceSettings
from landscape.errors import InputError
from landscape.runtime.options import from_plain, to_plain


@pytest.mark.parametrize("words", ["randon", "random,gradient,random", "random,", "x,y"])
def test_unknown_kinds_are_refused(words):
    with pytest.raises(InputError, match="expected random, gradient, eigenvector, two of these"):
        SliceSettings(directions=words).kinds  # noqa: B018


@pytest.mark.parametrize("how", [{"directions": "gradient"}, {"toward_x": "a.pt"}])
def test_only_random_directions_are_repeated(how):
    with pytest.raises(InputError, match="--repeats draws random directions"):
        SliceSettings(repeats=2, **how)
    with pytest.raises(InputError, match="at least 1, got 0"):
        SliceSettings(repeats=0)


@pytest.mark.parametrize("analysis", [surface, line, interpolate, trajectory])
def test_axes_are_given_as_tuples_or_as_axes(analysis):
    settings = analysis.Settings(x=(-1, 1, 5))
    assert settings.x == Axis(-1.0, 1.0, 5)
    assert settings == analysis.Settings(x=Axis(-1.0, 1.0, 5))
    assert from_plain(analysis.Settings, to_plain(settings)) == settings
    assert settings == analysis.Settings(x="-1:1:5")
    for wrong in ((-1, 1), "-1:1"):
        with pytest.raises(InputError, match="expected MIN:MAX:N"):
            analysis.Settings(x=wrong)


@pytest.mark.parametrize(
    ("name", "value"),
    [("bn", "re-estimate"), ("dir_type", "foo"), ("normalize", "rows"), ("policy", "li")],
)
def test_choices_hold_from_python_too(name, value):
    for analysis in (surface, line, interpolate, trajectory):
        with pytest.raises(InputError, match=f"{name} has to be one of .*, got the text '{value}'"):
            analysis.Settings(**{name: value})


def test_a_line_has_no_settings_of_y():
    names = {"y", "toward_y", "orthogonalize"}
    assert names <= {field.name for field in fields(surface.Settings)}
    for analysis in (line, interpolate):
        assert not names & {field.name for field in fields(analysis.Settings)}


def test_a_trajectory_covers_its_path_where_no_axis_is_given():
    settings = trajectory.Settings(y=(-1, 1, 5))
    assert settings.x is None
    assert settings.y == Axis(-1.0, 1.0, 5)


PACKAGES = (
    "slices surface line interpolate trajectory hessian components minibatch sharpness similarity"
)
IMPORTS = f"""\
import importlib, sys
for package in "{PACKAGES}".split():
    importlib.import_module(f"analyses.{{package}}.settings")
    print(package, [name for name in ("torch", "matplotlib", "h5py") if name in sys.modules])
"""


def test_settings_need_neither_torch_nor_matplotlib():
    words = [sys.executable, "-c", IMPORTS]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines == [f"{package} []" for package in PACKAGES.split()]
