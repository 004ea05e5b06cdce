"""Every table and every picture of an analysis shows replicates together."""

from dataclasses import replace

import pytest

from analyses.catalog import known_analyses
from tests.analyses.pictures import texts
from tests.analyses.problems import NAMES, results
from tests.profile import some

LABELS = ("a/1", "b", "a/2")
ROW = "a, mean ± SD of 2 runs"


def relabelled(name):
    return [
        replace(result, label=label) for result, label in zip(results(name, 3), LABELS, strict=True)
    ]


@pytest.mark.parametrize("name", some(NAMES, 7))
def test_tables(name):
    tables = known_analyses()[name].tabulate(relabelled(name))
    assert tables
    for rows in tables.values():
        names = [next(iter(row.values())) for row in rows]
        assert names == [ROW, "b"]
    cells = [cell for rows in tables.values() for cell in list(rows[0].values())[1:]]
    assert any("±" in cell for cell in cells)


@pytest.mark.parametrize("name", some(NAMES, 7))
def test_pictures(name):
    figures = known_analyses()[name].draw(relabelled(name))
    assert figures
    for stem, figure in figures.items():
        words = " ".join(texts(figure))
        if stem in ("similarity-networks", "interpolate"):
            assert {"a/1", "a/2"} <= set(words.replace(",", "").split())  # each has numbers there
            continue
        assert "a (2 runs)" in words or "a, 1 (1 of 2 runs)" in words, stem
        assert "a/2" not in words, stem
