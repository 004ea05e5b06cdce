"""Entropies of attention are those of weights worked out by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from analyses import attention
from analyses.attention.measure import entropy_of
from analyses.attention.settings import Settings
from landscape.errors import InputError
from tests.analyses.attention.problems import (
    DEPTH,
    HEADS,
    NUM_SAMPLES,
    SIDE,
    measure,
    objective,
    samples,
    transformer,
    weights_by_hand,
)


@pytest.mark.parametrize("batch_size", [1, 4, 11])
def test_entropies_by_hand(batch_size):
    model, source = transformer(), samples()
    result = measure(model, source, batch_size=batch_size)
    weights = weights_by_hand(model, source.fetch(torch.arange(NUM_SAMPLES)))
    entropies = -(weights * np.log(weights)).sum(-1)  # (L, n, heads, queries)
    assert result.layers == tuple(f"blocks.{k}.attn" for k in range(DEPTH))
    assert result.heads.tolist() == [HEADS] * DEPTH
    assert result.keys.tolist() == [SIDE**2 + 1] * DEPTH
    root = math.sqrt(NUM_SAMPLES)
    by_sample = entropies.mean(-1)
    np.testing.assert_allclose(result.entropy, by_sample.mean(1), rtol=1e-12)
    np.testing.assert_allclose(result.entropy_stderr, by_sample.std(1, ddof=1) / root, rtol=1e-10)
    by_layer = by_sample.mean(-1)
    np.testing.assert_allclose(result.by_layer, by_layer.mean(1), rtol=1e-12)
    np.testing.assert_allclose(result.layer_stderr, by_layer.std(1, ddof=1) / root, rtol=1e-10)
    overall = by_layer.mean(0)
    expected = [overall.mean(), overall.std(ddof=1) / root]
    np.testing.assert_allclose(result.mean, expected, rtol=1e-10)
    of_class_token = entropies[..., 0].mean(-1)
    expected = np.stack([of_class_token.mean(1), of_class_token.std(1, ddof=1) / root], axis=1)
    np.testing.assert_allclose(result.class_entropy, expected, rtol=1e-10)


def test_uniform_attention_has_the_largest_entropy():
    model = transformer()
    for block in model.blocks:
        nn.init.zeros_(block.attn.qkv.weight)
        nn.init.zeros_(block.attn.qkv.bias)
    result = measure(model)
    np.testing.assert_allclose(result.entropy, math.log(10), rtol=1e-14)
    np.testing.assert_allclose(result.maximum, math.log(10), rtol=1e-15)
    np.testing.assert_allclose(result.maps.raw, 0.1, rtol=1e-14)
    assert result.mean[1] < 1e-15


def test_entropies_of_known_weights(monkeypatch):
    one_key = torch.eye(4).expand(3, 2, 4, 4)
    assert torch.equal(entropy_of(one_key), torch.zeros(3, 2, 2).double())
    two_keys = torch.tensor([0.25, 0.75, 0.0, 0.0]).expand(3, 2, 4, 4)
    expected = 0.25 * math.log(4) + 0.75 * math.log(4 / 3)
    torch.testing.assert_close(entropy_of(two_keys), torch.full((3, 2, 2), expected).double())
    many = torch.rand(7, 2, 5, 6).softmax(-1)
    whole = entropy_of(many)
    monkeypatch.setattr("analyses.attention.measure.CHUNK", 2 * 60)
    assert torch.equal(entropy_of(many), whole)


def test_single_precision_says_the_same():
    double, single = measure(), measure(dtype=torch.float32)
    np.testing.assert_allclose(single.entropy, double.entropy, rtol=2e-6)
    np.testing.assert_allclose(single.maps.raw, double.maps.raw, rtol=1e-4)
    assert single.maps.indices.tolist() == double.maps.indices.tolist()


def test_one_sample_has_no_error():
    result = measure(source=samples().take(torch.tensor([3])))
    assert np.isnan(result.entropy_stderr).all()
    assert len(result.maps.indices) == 1
    (row,) = attention.tabulate([result])[""]
    assert "no error" in row["mean entropy, nats, ± standard error"]


def test_nothing_is_left_on_the_network():
    problem = objective()
    before = problem.weights_hash()
    attention.compute(problem)
    assert problem.weights_hash() == before
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in problem.module.modules())
    assert torch.backends.mha.get_fastpath_enabled()


def test_no_pictures_are_refused():
    with pytest.raises(InputError, match="--pictures has to be at least 1, got 0"):
        Settings(pictures=0)
