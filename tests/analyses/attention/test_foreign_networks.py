"""Attention of networks that are not this project's: torch's layers, windows, sequences."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from analyses import attention
from analyses.attention.result import CLASS_TOKEN, PATCHES, Attention
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective
from tests.analyses.attention.problems import (
    CLASSES,
    NUM_SAMPLES,
    json_of,
    measure,
    objective,
    same,
    samples,
)
from tests.oracles.cases import BY_NAME


class Encoder(nn.Module):
    """Torch's own encoder over patches, with registers and a class token, or without."""

    def __init__(self, extra=0, side=4, name="registers"):
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 6 // side if side < 6 else 1, stride=6 // side)
        if extra:
            self.register_parameter(name, nn.Parameter(torch.randn(1, extra, 16)))
        self.extra = name if extra else ""
        layer = nn.TransformerEncoderLayer(16, 4, 16, batch_first=True, dropout=0.0)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        if self.extra:
            x = torch.cat([getattr(self, self.extra).expand(len(x), -1, -1), x], 1)
        return self.head(self.encoder(x).mean(1))


@pytest.mark.parametrize(
    ("extra", "name", "query"),
    [
        (0, "", PATCHES),
        (1, "anything", CLASS_TOKEN),
        (4, "registers", PATCHES),
        (5, "cls_token", CLASS_TOKEN),
    ],
)
def test_whose_attention_is_shown(extra, name, query):
    model = Encoder(extra, 6, name).double().eval()
    result = measure(model)
    assert result.maps.query == query
    assert result.layers == ("encoder.layers.0.self_attn", "encoder.layers.1.self_attn")
    assert result.maps.raw.shape == (4, 4, 6, 6)
    assert np.isfinite(result.class_entropy).all() == (query == CLASS_TOKEN)
    # The first layer's weights, from torch's own: the maps are of a model of that layer alone.
    model.encoder.layers = model.encoder.layers[:1]
    images = samples().fetch(torch.tensor([0, 2, 5, 7]))
    seen = []
    handle = model.encoder.layers[0].register_forward_pre_hook(lambda _, w: seen.append(w[0]))
    model.train()(images)
    handle.remove()
    model.eval()
    _, weights = model.encoder.layers[0].self_attn(*seen * 3, average_attn_weights=False)
    rows = weights[:, :, :1] if query == CLASS_TOKEN else weights[:, :, extra:]
    expected = rows[..., extra:].mean(2).detach().unflatten(-1, (6, 6))
    one_layer = measure(model).maps
    np.testing.assert_allclose(one_layer.raw, expected, rtol=0, atol=1e-13)


class Reader(nn.Module):
    """Sequences of words, in a dict with a mask of what is padding."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, words, padding):
        x = self.embed(words)
        x = x + self.attention(x, x, x, key_padding_mask=padding, need_weights=False)[0]
        return self.head(x.mean(1))


def test_sequences_have_entropies_but_no_maps(tmp_path):
    words = torch.randint(9, (6, 5))
    padding = torch.arange(5) >= torch.tensor([[5], [3], [1], [4], [2], [5]])
    batches = [
        ({"words": words[cut], "padding": padding[cut]}, torch.zeros(len(words[cut])).long())
        for cut in (slice(0, 4), slice(4, 6))
    ]
    model = Reader()
    nn.init.zeros_(model.attention.in_proj_weight)
    result = attention.compute(Objective(model, batches, device="cpu"))
    lengths = np.array([5, 3, 1, 4, 2, 5])  # all keys alike, but for the padding
    np.testing.assert_allclose(result.entropy, np.log(lengths).mean(), rtol=1e-6)
    assert result.maps is None
    assert result.why_no_maps == "the inputs are not pictures of 1 or 3 channels"
    assert list(attention.draw([result])) == ["attention-entropy"]
    (row,) = attention.tabulate([result])[""]
    assert row["maps"] == "none: the inputs are not pictures of 1 or 3 channels"
    assert row["class token, last layer"] == "none known"
    result.save(tmp_path / "x.h5")
    assert Attention.load(tmp_path / "x.h5").why_no_maps == result.why_no_maps


@pytest.mark.parametrize("tokens", [3, 12, 35])
def test_tokens_that_are_no_square(tokens):
    class Some(Encoder):
        def forward(self, x):
            x = self.embed(x).flatten(2).transpose(1, 2)[:, :tokens]
            return self.head(self.encoder(x).mean(1))

    result = measure(Some(0, 6).double())
    assert result.maps is None
    assert result.why_no_maps.startswith(f"{tokens} tokens are not a square grid of patches")
    assert result.keys.tolist() == [tokens, tokens]
    assert np.isnan(result.class_entropy).all()


class Windows(nn.Module):
    """Attention in two windows, then with more heads in all tokens."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 3, stride=3)
        self.local = nn.MultiheadAttention(8, 2, batch_first=True)
        self.whole = nn.MultiheadAttention(8, 4, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        windows = x.reshape(-1, 2, 8)
        x = x + self.local(windows, windows, windows)[0].reshape(x.shape)
        return self.head(self.whole(x, x, x)[0].mean(1))


def test_windows_and_layers_of_different_heads(tmp_path):
    problem = objective(Windows().double())
    result = attention.compute(problem)
    assert result.heads.tolist() == [2, 4]
    assert result.keys.tolist() == [2, 4]
    assert np.isnan(result.entropy[0, 2:]).all()
    assert result.why_no_maps == "not every layer lets all tokens attend to all"
    x = problem.module.embed(samples().fetch(torch.arange(NUM_SAMPLES))).flatten(2).transpose(1, 2)
    by_sample = []
    for sample in x:
        windows = sample.reshape(2, 2, 8)
        _, weights = problem.module.local(windows, windows, windows, average_attn_weights=False)
        weights = weights.detach().numpy()
        by_sample.append(-(weights * np.log(weights)).sum(-1).mean((0, 2)))
    np.testing.assert_allclose(result.entropy[0, :2], np.mean(by_sample, axis=0), rtol=1e-12)
    expected = np.std(by_sample, axis=0, ddof=1) / math.sqrt(NUM_SAMPLES)
    np.testing.assert_allclose(result.entropy_stderr[0, :2], expected, rtol=1e-10)
    result.save(tmp_path / "x.h5")
    assert same(Attention.load(tmp_path / "x.h5"), result)
    assert len(json_of(result, tmp_path)["heads"]["local"]) == 2


@pytest.mark.parametrize("name", ["mixer", "resnet with batch norm", "mlp with tied weights"])
def test_networks_without_attention_are_refused(name):
    case = BY_NAME[name]
    problem = Objective(case.model(), case.data, case.loss, device="cpu", dtype=torch.float64)
    with pytest.raises(NotMeasurableError, match="has no attention that can be watched") as caught:
        attention.compute(problem)
    assert "\n" not in str(caught.value)
