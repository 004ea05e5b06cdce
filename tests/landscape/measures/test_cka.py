"""CKA by its known identities."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.errors import InputError
from landscape.measures.cka import centred_gram, cka, cka_error, hsic
from tests.profile import repeats


def features(seed, count=40, size=5):
    return np.random.default_rng(seed).standard_normal((count, size))


def rotation(size, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


@settings(max_examples=repeats(10, 30), deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(1e-3, 1e3), shift=st.floats(-10, 10))
@pytest.mark.parametrize("debiased", [True, False])
def test_it_is_1_up_to_rotation_scale_and_shift(debiased, seed, scale, shift):
    x = features(seed)
    y = scale * x @ rotation(5, seed) + shift
    kernel_x, kernel_y = centred_gram(x), centred_gram(y)
    assert cka(kernel_x, kernel_y, debiased=debiased) == pytest.approx(1.0, abs=1e-9)


def test_the_plain_estimate_is_that_of_the_features():
    x, y = features(1), features(2, size=7)
    x, y = x - x.mean(0), y - y.mean(0)
    expected = np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    assert cka(centred_gram(x), centred_gram(y), debiased=False) == pytest.approx(
        expected, rel=1e-12
    )


def test_the_unbiased_criterion_is_the_mean_over_quadruples():
    # Song et al. (2012), equation 4, over all ordered quadruples of different samples.
    count = 6
    k, l = (x @ x.T for x in (features(3, count), features(4, count)))  # noqa: E741
    total, number = 0.0, 0
    for i in range(count):
        for j in range(count):
            for q in range(count):
                for r in range(count):
                    if len({i, j, q, r}) == 4:
                        total += k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q])
                        number += 1
    assert hsic(k, l) / (count * (count - 3)) == pytest.approx(total / number, rel=1e-10)


def test_independent_features_are_not_alike():
    unbiased = [
        cka(centred_gram(features(k, size=400)), centred_gram(features(k + 99, size=400)))
        for k in range(40)
    ]
    plain = cka(
        centred_gram(features(0, size=400)), centred_gram(features(99, size=400)), debiased=False
    )
    assert plain > 0.8  # with many features of few samples all seem alike
    assert abs(np.mean(unbiased)) < 4 * np.std(unbiased) / math.sqrt(40)


def test_the_jackknifes_error_is_the_spread_over_samples():
    mix = np.random.default_rng(7).standard_normal((5, 5))

    def draw(seed):
        x = features(seed, count=120)
        y = x @ mix + 2 * features(seed + 5000, count=120)
        return centred_gram(x), centred_gram(y)

    values = [cka(*draw(seed)) for seed in range(150)]
    errors = [cka_error(*draw(seed)) for seed in range(20)]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(values), rel=0.35)
    assert math.isnan(cka_error(*(centred_gram(features(1, 4)),) * 2))


def test_what_has_no_spread_is_like_nothing():
    still = centred_gram(np.ones((8, 3)))
    assert not still.any()
    assert math.isnan(cka(still, centred_gram(features(0, 8))))
    with pytest.raises(InputError, match="at least 4 samples"):
        hsic(np.eye(3), np.eye(3))
