"""Ticks of logarithmic axes."""

import matplotlib.pyplot as plt
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analyses.drawing.log_ticks import exponent_ticks, plain_log_ticks, round_values


@given(st.floats(-12, 12), st.floats(0.03, 20), st.integers(4, 9))
def test_ticks_are_few_round_and_inside(first, decades, most):
    low, high = 10.0**first, 10.0 ** (first + decades)
    values = round_values(low, high, most)
    assert 2 <= len(values) <= most
    assert (np.diff(values) > 0).all()
    assert values[0] >= low * (1 - 1e-9)
    assert values[-1] <= high * (1 + 1e-9)
    for value in values:
        assert float(f"{value:.5g}") == float(f"{value:.9g}")


def test_spans_have_the_numbers_that_one_would_write():
    assert round_values(0.1, 1000).tolist() == [0.1, 1.0, 10.0, 100.0, 1000.0]
    assert round_values(0.16, 4.3).tolist() == [0.2, 0.5, 1.0, 2.0]
    assert round_values(0.16, 150, most=4).tolist() == [1.0, 10.0, 100.0]
    assert round_values(1.05, 1.12).tolist() == [1.05, 1.065, 1.08, 1.095, 1.11]


def test_axes_are_labelled_with_plain_numbers():
    page, panels = plt.subplots(1, 2)
    panels[0].set(yscale="log", ylim=(0.16, 4.3))
    plain_log_ticks(panels[0].yaxis)
    panels[1].set_ylim(np.log10([0.16, 4.3]))
    exponent_ticks(panels[1].yaxis, most=7)
    page.draw_without_rendering()
    for panel in panels:
        assert [text.get_text() for text in panel.get_yticklabels()] == ["0.2", "0.5", "1", "2"]
    assert not any(text.get_text() for text in panels[0].get_yticklabels(minor=True))
    plt.close(page)
