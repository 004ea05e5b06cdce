"""The picture of the recursion."""

from dataclasses import replace

import numpy as np

from analyses import recursion
from analyses.recursion.settings import Settings
from tests.analyses.pictures import coloured, render
from tests.analyses.problems import network, objective, samples
from tests.analyses.recursion.problems import case_result, measure


def test_a_column_for_each_kind_of_mlp():
    names = ("mixer", "vit", "resnet with batch norm")
    results = [replace(case_result(name), label=name) for name in names]
    page = recursion.draw(results)["recursion"]
    assert [axes.get_title() for axes in page.axes[:4]] == [
        "token-mixing MLP",
        "channel-mixing MLP",
        "MLP",
        "head",
    ]
    assert len(page.axes) == 16
    blank = [number for number, pixels in coloured(page).items() if pixels < 20]
    assert blank == [11]  # a head has no activation function
    assert page.axes[11].texts[0].get_text() == "no activation"


def test_values_drawn_are_those_found():
    result = recursion.compute(objective(), Settings(4))
    page = recursion.draw([result])["recursion"]
    drawn = [[line.get_ydata() for line in axes.lines] for axes in page.axes]
    expected = [result.inputs[:, 0], result.magnitudes[:, 0], 100 * result.active[:, 0]]
    for lines, values in zip(drawn, expected, strict=False):
        np.testing.assert_array_equal(lines[0], values)
    lines = [bars[0].get_ydata() for bars in page.axes[3].containers]
    np.testing.assert_array_equal(lines, [np.abs(result.blocks), result.bounds[:, 0]])
    assert page.axes[3].get_ylabel() == "|λ| of the block (nats)"


def test_a_frozen_weight_and_a_single_sample_are_drawn():
    for result in (case_result("mlp with frozen parameters"), measure(network(), samples(1))):
        render(recursion.draw([result])["recursion"])


def test_of_replicates_the_mean_and_range_are_drawn():
    result = recursion.compute(objective(), Settings(4))
    other = replace(result, inputs=3 * result.inputs)
    runs = [replace(result, label="a/1"), replace(other, label="a/2")]
    page = recursion.draw(runs)["recursion"]
    inputs, block = page.axes[0].containers, page.axes[3].containers
    assert (len(inputs), len(block)) == (1, 2)
    np.testing.assert_allclose(inputs[0][0].get_ydata(), 2 * result.inputs[:, 0])
    np.testing.assert_allclose(block[1][0].get_ydata(), (result.bounds + other.bounds)[:, 0] / 2)
    ends = np.array(inputs[0][2][0].get_segments())[..., 1]
    np.testing.assert_allclose(ends, np.outer(result.inputs[:, 0], [1, 3]))
    assert page.legends[0].get_texts()[0].get_text() == "a (2 runs)"
