import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.hooks.attention_weights import roll_out
from tests.profile import repeats


def rolled_out(layers):
    below = None
    for layer in layers:
        below = roll_out(layer, below)
    return below


@given(st.integers(1, 4), st.integers(1, 3), st.integers(2, 6), st.integers(0, 100))
@settings(max_examples=repeats(10, 30), deadline=None)
def test_rollout(depth, heads, tokens, seed):
    rng = np.random.default_rng(seed)
    layers = rng.dirichlet(np.ones(tokens), size=(depth, 2, heads, tokens))
    rollout = rolled_out([torch.from_numpy(layer) for layer in layers]).numpy()
    for sample in range(2):
        expected = np.eye(tokens)
        for layer in layers[:, sample]:
            expected = (0.5 * layer.mean(0) + 0.5 * np.eye(tokens)) @ expected
        np.testing.assert_allclose(rollout[sample], expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(rollout.sum(-1), 1, rtol=1e-13)


def test_rollout_puts_the_last_layer_to_the_left():
    first, last = torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    rollout = rolled_out([first.view(1, 1, 2, 2), last.view(1, 1, 2, 2)])
    # (last + I) / 2 = [[1, 0], [.5, .5]], (first + I) / 2 = [[.5, .5], [0, 1]].
    assert torch.equal(rollout[0], torch.tensor([[0.5, 0.5], [0.25, 0.75]]).double())
