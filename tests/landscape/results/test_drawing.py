"""What draws into axes is registered by the package that draws."""

import subprocess
import sys

from tests.architecture import ROOT

CODE = """
import sys
from landscape.results.drawing import draw_into_axes, register_drawing
from landscape.errors import InputError
try:
    draw_into_axes(None, "result", "axes")
except InputError as error:
    print(error)
assert "analyses" not in sys.modules
register_drawing(lambda draw, result, axes: {result: axes})
print(draw_into_axes(None, "result", "axes"))
import analyses
assert "matplotlib" not in sys.modules
try:
    draw_into_axes(None, "result", "axes")
except InputError as error:
    print(error)
"""


def test_the_engine_draws_by_what_is_registered():
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines() == [
        "plot(ax=...) needs the package that draws: import analyses",
        "{'result': 'axes'}",
        "ax has to be matplotlib axes of two dimensions, got 'axes'",
    ]
