import math

import matplotlib as mpl
import pytest

from analyses.drawing.numbers import number, with_error
from analyses.drawing.options import FORMATS
from analyses.drawing.style import figure, grid_shape, line_styles, styled
from tests.analyses.pictures import save_figures

NUMBERS = [
    (0.0, "0.00"),
    (1.0, "1.00"),
    (-1.0, "-1.00"),
    (1.2345, "1.23"),
    (-0.012345, "-0.0123"),
    (12.345, "12.3"),
    (123.45, "123"),
    (1234.5, "1234"),
    (99999.4, "99999"),
    (0.001, "0.00100"),
    (0.00099, "9.90e-04"),
    (-1e-300, "-1.00e-300"),
    (123456.0, "1.23e+05"),
    (1e300, "1.00e+300"),
    (math.nan, "nan"),
    (math.inf, "inf"),
    (-math.inf, "-inf"),
]


@pytest.mark.parametrize(("value", "text"), NUMBERS, ids=[text for _, text in NUMBERS])
def test_number(value, text):
    assert number(value) == text


@pytest.mark.parametrize(("digits", "text"), [(1, "1"), (2, "1.2"), (3, "1.23"), (5, "1.2346")])
def test_number_of_digits(digits, text):
    assert number(1.23456, digits) == text


WITH_ERROR = [
    (1.2345, 0.0123, "1.234 ± 0.012"),
    (1.2345, 0.123, "1.23 ± 0.12"),
    (-1.2345, 0.5, "-1.23 ± 0.50"),
    (123.456, 1.2, "123.5 ± 1.2"),
    (123.456, 12.3, "123 ± 12"),
    (1234.56, 99.0, "1235 ± 99"),
    (0.0, 0.01, "0.000 ± 0.010"),
    (1e-8, 1e-9, "1.000e-08 ± 1.0e-09"),
    (1.23456789, 1.25e-7, "1.23456789 ± 0.00000012"),
    (2.0, 0.0, "2.00 ± 0.00"),
    (1.5, math.nan, "1.50 (no error)"),
    (1.5, math.inf, "1.50 (no error)"),
    (math.nan, 0.1, "nan ± 0.100"),
    (math.inf, 0.1, "inf ± 0.100"),
]


@pytest.mark.parametrize(("value", "error", "text"), WITH_ERROR, ids=[c[2] for c in WITH_ERROR])
def test_with_error(value, error, text):
    assert with_error(value, error) == text


@pytest.mark.parametrize("count", range(1, 30))
def test_grid_shape(count):
    rows, columns = grid_shape(count)
    assert (rows - 1) * columns < count <= rows * columns  # no row is empty
    assert columns <= 4
    if count % 2 == 0:
        assert columns % 2 == 0  # neighbours stay side by side


def test_curves_are_told_apart():
    styles = line_styles(28)
    assert len({(style["color"], style["linestyle"]) for style in styles}) == 28
    assert len({style["color"] for style in styles[:7]}) == 7
    assert len(line_styles(40)) == 40


def test_the_style_is_put_back():
    before = dict(mpl.rcParams)
    with styled():
        assert mpl.rcParams["savefig.dpi"] == 200
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("backend", [mpl.get_backend()])
def test_figures_are_not_kept_by_pyplot(backend):
    import matplotlib.pyplot as plt

    figure(2, 2)
    assert plt.get_fignums() == []
    assert mpl.get_backend() == backend


SIGNATURES = {"png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-", "svg": b"<?xml"}


def test_figures_are_saved_in_every_format(tmp_path):
    assert set(SIGNATURES) == set(FORMATS)
    pages = {"one": figure(1, 1), "two": figure(2, 1)}
    paths = save_figures(pages, tmp_path, FORMATS)
    assert paths == [tmp_path / f"{name}.{kind}" for name in pages for kind in FORMATS]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    for path in paths:
        assert path.read_bytes().startswith(SIGNATURES[path.suffix[1:]])


def test_a_picture_that_can_not_be_drawn_leaves_the_old_one(tmp_path):
    (tmp_path / "one.png").write_bytes(b"old")
    page = figure(1, 1)
    page.suptitle("$\\unknown$")
    with pytest.raises(ValueError, match="unknown"):
        save_figures({"one": page}, tmp_path, ["png"])
    assert [path.name for path in tmp_path.iterdir()] == ["one.png"]
    assert (tmp_path / "one.png").read_bytes() == b"old"
