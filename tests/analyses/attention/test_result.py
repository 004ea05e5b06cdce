"""The result of the attention analysis: its file, its headline and its table."""

import math

import numpy as np
import pytest

from analyses import attention
from analyses.attention.result import Attention
from analyses.attention.settings import Settings
from tests.analyses.attention.problems import LABELS, json_of, measure, same, several


def test_a_result_comes_back_bit_for_bit(tmp_path):
    result = measure(settings=Settings(pictures=3))
    result.save(tmp_path / "x.h5")
    assert same(Attention.load(tmp_path / "x.h5"), result)
    again = measure(settings=Settings(pictures=3))
    assert all(
        np.array(array.values).tobytes() == np.array(again.arrays()[name].values).tobytes()
        for name, array in result.arrays().items()
        if np.asarray(array.values).dtype != object
    )


def test_headline(tmp_path):
    result = measure()
    content = json_of(result, tmp_path)
    assert content["mean"] == pytest.approx(result.mean[0], rel=1e-15)
    assert content["layers"]["blocks.1.attn"] == pytest.approx(result.by_layer[1], rel=1e-15)
    assert content["heads"]["blocks.2.attn"] == result.entropy[2].tolist()
    assert content["maximum"]["blocks.0.attn"] == pytest.approx(math.log(10))
    assert content["query"] == "class token"
    assert content["pictures"] == [0, 2, 5, 7]
    assert content["why_no_maps"] is None


def test_a_table_row_for_each():
    result = several(2)
    rows = attention.tabulate(result)[""]
    assert [row["checkpoint"] for row in rows] == LABELS[:2]
    assert all(isinstance(value, str) and value for row in rows for value in row.values())
    assert rows[0]["maps"] == "of the class token, samples 0, 2, 5, 7"
    assert rows[1]["layers"] == "3"
    assert rows[0]["heads"] == "2"
    assert rows[0]["log(keys)"] == "2.303"
