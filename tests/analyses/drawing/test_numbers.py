"""Numbers with errors, as texts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyses.drawing.numbers import (
    bound_text,
    contour_texts,
    error_bars,
    number,
    share_text,
    with_error,
    with_residual,
)
from landscape.estimates import ONE_ERROR, Estimate, Proportion

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


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((2.0, 0.1, 40.0), "2.00 ± 0.10"),
        ((2.0, 0.1, 2.0), "2.00 ± 0.10 (95 %: 1.57 to 2.43)"),
        ((2.0, 0.1, 0.0), "2.00 ± 0.10 (no interval)"),
        ((2.0, 0.0, 2.0), "2.00 ± 0.00"),
        ((2.0, math.nan, 2.0), "2.00 (no error)"),
        ((2e6, 1e5, 3.0), "(2.00 ± 0.10)e6 (95 %: 1.68e+06 to 2.32e+06)"),
        ((-3e-9, 1e-10, 3.0), "-3.000e-09 ± 1.0e-10 (95 %: -3.32e-09 to -2.68e-09)"),
    ],
)
def test_few_degrees_of_freedom_show_their_interval(arguments, text):
    assert with_error(*arguments) == text


@pytest.mark.parametrize(
    ("right", "of", "text"),
    [
        (180, 360, "50.0 ± 2.6"),
        (355, 360, "98.61 ± 0.62"),
        (356, 360, "98.9 (95 %: 97.2 to 99.6)"),
        (360, 360, "100 (95 %: 98.9 to 100.0)"),
        (0, 360, "0.00 (95 %: 0.0 to 1.1)"),
    ],
)
def test_shares_near_their_ends_show_their_interval(right, of, text):
    assert share_text(Proportion.of(np.arange(of) < right)) == text


def test_error_bars():
    bars = error_bars([Proportion.of([True] * 40), Estimate(0.5, math.nan)], 100)
    low, _ = Proportion(1.0, 1 / 40).interval(ONE_ERROR)
    np.testing.assert_allclose(bars, [[100 * (1 - low), 0.0], [0.0, 0.0]])


@given(st.floats(1e-300, 1e300))
def test_a_bound_is_rounded_up(bound):
    printed = float(bound_text(bound))
    assert bound <= printed <= 2 * bound * (1 + 1e-12)
    assert with_residual(1.0, bound, True, 0.1).endswith(f"({bound_text(bound)})")


def test_bounds_that_have_one_digit_stay():
    assert [bound_text(bound) for bound in (1e-4, 3e-6, 0.0, 0.2)] == [
        "1e-04",
        "3e-06",
        "0e+00",
        "2e-01",
    ]
    assert bound_text(1.49e-4) == "2e-04"
    assert bound_text(9.1e-4) == "1e-03"


@pytest.mark.parametrize(
    "levels",
    [
        np.linspace(1.0523, 1.0611, 9),
        np.linspace(-1e-3, 1e-3, 8),
        np.linspace(123456, 123460, 5),
        np.geomspace(1e-3, 1e5, 12),
        np.geomspace(0.4, 0.41, 6),
    ],
    ids=["close", "around 0", "large", "decades", "close logarithms"],
)
def test_labels_of_contours_tell_lines_apart(levels):
    texts = contour_texts(levels)
    assert list(texts) == list(levels)
    assert len(set(texts.values())) == len(levels)
    gaps = np.diff(levels)
    nearest = np.minimum([np.inf, *gaps], [*gaps, np.inf])
    rounding = np.abs([float(texts[level]) - level for level in levels])
    assert (rounding <= nearest / 4 * (1 + 1e-9)).all()


def test_labels_of_distant_contours_are_short():
    assert list(contour_texts([0.1234, 1.234, 12.34, 123.4, 1234.0]).values()) == [
        "0.12", "1.2", "12", "120", "1200",
    ]  # fmt: skip
    assert contour_texts([0.0]) == {0.0: "0"}
