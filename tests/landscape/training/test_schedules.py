import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.training.schedules import learning_rate

SCHEDULES = ("cosine", "linear", "constant")


def rates(warmup, total, schedule, peak=1.0):
    return [
        learning_rate(step, peak=peak, warmup=warmup, total=total, schedule=schedule)
        for step in range(total)
    ]


@st.composite
def plans(draw):
    total = draw(st.integers(1, 300))
    return {
        "total": total,
        "warmup": draw(st.integers(0, total + 5)),  # a warm-up may outlast the training
        "peak": draw(st.floats(1e-8, 1e3)),
    }


@settings(deadline=None, database=None)
@given(plan=plans(), schedule=st.sampled_from(SCHEDULES))
def test_always_above_0_and_never_above_the_peak(plan, schedule):
    values = rates(schedule=schedule, **plan)
    assert all(0 < value <= plan["peak"] for value in values)


@settings(deadline=None, database=None)
@given(plan=plans(), schedule=st.sampled_from(SCHEDULES))
def test_the_warm_up_is_a_line_through_0_that_reaches_the_peak(plan, schedule):
    values = rates(schedule=schedule, **plan)
    warmup, peak = plan["warmup"], plan["peak"]
    for step, value in enumerate(values[:warmup]):
        assert value == pytest.approx(peak * (step + 1) / (warmup + 1), rel=1e-12)
    if warmup < plan["total"]:
        assert values[warmup] == peak


@settings(deadline=None, database=None)
@given(plan=plans(), schedule=st.sampled_from(SCHEDULES))
def test_it_never_rises_after_the_warm_up(plan, schedule):
    after = rates(schedule=schedule, **plan)[plan["warmup"] :]
    assert all(later <= earlier for earlier, later in zip(after, after[1:], strict=False))


def test_a_cosine_by_hand():
    values = rates(2, 10, "cosine", peak=0.3)
    expected = [0.1, 0.2] + [0.15 * (1 + math.cos(math.pi * k / 8)) for k in range(8)]
    assert values == pytest.approx(expected, rel=1e-12)


def test_a_line_by_hand():
    assert rates(1, 5, "linear", peak=2.0) == pytest.approx([1.0, 2.0, 1.5, 1.0, 0.5], rel=1e-12)


def test_a_constant_by_hand():
    assert rates(1, 4, "constant", peak=2.0) == [1.0, 2.0, 2.0, 2.0]


def test_without_warm_up_it_starts_at_the_peak():
    assert [rates(0, 50, schedule)[0] for schedule in SCHEDULES] == [1.0, 1.0, 1.0]


def test_it_ends_one_step_before_0():
    assert rates(100, 1000, "linear")[-1] == pytest.approx(1 / 900)
    assert 0 < rates(100, 1000, "cosine")[-1] < 1e-5
    assert learning_rate(1000, peak=1.0, warmup=100, total=1000, schedule="linear") == 0
    assert learning_rate(1000, peak=1.0, warmup=100, total=1000, schedule="cosine") == 0


def test_halfway_a_cosine_is_half():
    middle = learning_rate(600, peak=0.8, warmup=200, total=1000, schedule="cosine")
    assert middle == pytest.approx(0.4, rel=1e-12)


def test_a_single_step_is_taken_at_the_peak():
    assert [rates(0, 1, schedule) for schedule in SCHEDULES] == [[1.0], [1.0], [1.0]]
