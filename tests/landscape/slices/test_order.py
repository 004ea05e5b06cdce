import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.slices.order import coarse_to_fine, nested_indices
from tests.profile import repeats

counts = st.integers(1, 60)
coarsest = st.integers(2, 15)


@settings(max_examples=repeats(20, 60), deadline=None)
@given(counts, counts, coarsest)
def test_every_point_once(rows, columns, first):
    order = coarse_to_fine(rows, columns, first)
    assert len(order) == rows * columns
    assert set(order) == {(row, column) for row in range(rows) for column in range(columns)}
    assert all(type(row) is int and type(column) is int for row, column in order)


@settings(deadline=None)
@given(st.integers(1, 400), coarsest)
def test_levels(count, first):
    levels = nested_indices(count, first)
    assert len(levels[0]) == min(count, first)
    for level in levels:
        assert level[0] == 0
        assert level[-1] == count - 1
        assert (np.diff(level) > 0).all()
    assert levels[-1].tolist() == list(range(count))
    for before, after in zip(levels, levels[1:], strict=False):
        assert set(before.tolist()) < set(after.tolist())
        # Every gap that can be halved is: the largest one shrinks.
        assert np.diff(after).max() <= (np.diff(before).max() + 1) // 2
    # Evenly spread, as far as whole numbers can be.
    if len(levels[0]) > 1:
        assert np.ptp(np.diff(levels[0])) <= 1


@settings(max_examples=repeats(15, 40), deadline=None)
@given(st.integers(2, 50), st.integers(2, 50))
def test_every_beginning_is_a_grid_as_soon_as_a_level_is_finished(rows, columns):
    order = coarse_to_fine(rows, columns)
    by_row, by_column = nested_indices(rows, 5), nested_indices(columns, 5)
    for level in range(max(len(by_row), len(by_column))):
        ys = by_row[min(level, len(by_row) - 1)].tolist()
        xs = by_column[min(level, len(by_column) - 1)].tolist()
        assert set(order[: len(ys) * len(xs)]) == {(y, x) for y in ys for x in xs}


def test_the_first_25_points_span_the_grid():
    first = coarse_to_fine(51, 51)[:25]
    lines = [0, 12, 25, 38, 50]
    assert {row for row, _ in first} == {column for _, column in first} == set(lines)
    assert set(first) == {(row, column) for row in lines for column in lines}


def test_a_line_is_a_grid_of_one_row():
    order = coarse_to_fine(1, 51)
    assert [row for row, _ in order] == [0] * 51
    assert {column for _, column in order[:5]} == {0, 12, 25, 38, 50}
    assert coarse_to_fine(51, 1) == [(column, row) for row, column in order]


def test_small_grids():
    assert coarse_to_fine(1, 1) == [(0, 0)]
    assert coarse_to_fine(2, 2) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert nested_indices(1, 5)[0].tolist() == [0]
    assert [level.tolist() for level in nested_indices(4, 2)] == [[0, 3], [0, 1, 3], [0, 1, 2, 3]]
