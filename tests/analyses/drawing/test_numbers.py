"""Numbers with errors, as texts."""

import math

import pytest

from analyses.drawing.numbers import number, with_error

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
