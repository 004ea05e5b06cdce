"""Attention weights: what is observed is what the model computes with."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.hooks.attention_weights import attention_weights, watch_attention
from landscape.models.vit import VisionTransformer
from tests.oracles.cases import BY_NAME, randomise


def observe(model, *inputs):
    """Names and weights of one forward pass, and the output with and without watching."""
    attentions = []
    with torch.no_grad():
        before = model(*inputs)
        with watch_attention(model, lambda name, weights: attentions.append((name, weights))):
            after = model(*inputs)
    for _, weights in attentions:
        assert weights.dim() == 4
        precision = torch.finfo(weights.dtype).eps
        assert (weights.sum(-1) - 1).abs().max() < 10 * precision
    return attentions, before, after


def by_definition(q, k, scale, mask=None):
    """Softmax of scaled products, in numpy; a mask is added."""
    scores = scale * np.einsum("...qd,...kd->...qk", q.double().numpy(), k.double().numpy())
    if mask is not None:
        scores = scores + mask
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


# ------------------------------------------------------------------------- networks that attend


def test_our_transformer_by_hand():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = VisionTransformer(
            image_size=6, patch_size=2, dim=12, depth=3, heads=3, mlp_dim=8, num_classes=4
        )
        model = randomise(model.double()).eval()
        images = torch.randn(5, 3, 6, 6, dtype=torch.float64)
    projected = []
    handles = [
        block.attn.qkv.register_forward_hook(lambda *words: projected.append(words[2]))
        for block in model.blocks
    ]
    model(images)
    for handle in handles:
        handle.remove()
    attentions, before, after = observe(model, images)
    assert [name for name, _ in attentions] == [f"blocks.{k}.attn" for k in range(3)]
    assert torch.equal(before, after)
    for (_, weights), packed in zip(attentions, projected, strict=True):
        # Columns: all queries, then keys, then values; heads one after another in each.
        q, k, _ = packed.detach().view(5, 10, 3, 3, 4).permute(2, 0, 3, 1, 4)
        np.testing.assert_allclose(weights, by_definition(q, k, 0.5), rtol=0, atol=1e-12)


def attending_modules(width=16, heads=4):
    return nn.MultiheadAttention(width, heads, batch_first=True).double().eval()


@pytest.mark.parametrize("options", [{}, {"need_weights": False}, {"average_attn_weights": False}])
@pytest.mark.parametrize("masked", [False, True])
def test_multihead_attention_of_torch(options, masked):
    model, x = attending_modules(), torch.randn(3, 7, 16, dtype=torch.float64)
    mask = torch.arange(7) > torch.tensor([[4], [6], [5]]) if masked else None
    _, expected = model(x, x, x, key_padding_mask=mask, average_attn_weights=False)
    attentions = []
    with watch_attention(model, lambda *words: attentions.append(words)):
        output, weights = model(x, x, x, key_padding_mask=mask, **options)
    plain, plain_weights = model(x, x, x, key_padding_mask=mask, **options)
    ((name, seen),) = attentions
    assert name == "attention"
    assert torch.equal(seen, expected.detach())
    torch.testing.assert_close(output, plain, rtol=0, atol=1e-14)
    if plain_weights is None:
        assert weights is None
    else:
        assert torch.equal(weights, plain_weights)


def test_multihead_attention_of_one_sample_and_of_the_sequence_first():
    model = nn.MultiheadAttention(16, 4).eval()
    ((_, weights),), *_ = observe(lambda_model(model), torch.randn(7, 3, 16))
    assert weights.shape == (3, 4, 7, 7)
    ((_, weights),), *_ = observe(lambda_model(model), torch.randn(7, 16))
    assert weights.shape == (1, 4, 7, 7)


def lambda_model(attention):
    class SelfAttention(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = attention

        def forward(self, x):
            return self.attention(x, x, x, need_weights=False)[0]

    return SelfAttention()


def test_encoder_layers_of_torch_leave_their_fast_path_and_get_it_back():
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, dtype=torch.float64)
    model = nn.TransformerEncoder(layer, 2).eval()
    x = torch.randn(3, 7, 16, dtype=torch.float64)
    assert torch.backends.mha.get_fastpath_enabled()
    attentions, before, after = observe(model, x)
    assert [name for name, _ in attentions] == ["layers.0.self_attn", "layers.1.self_attn"]
    torch.testing.assert_close(before, after, rtol=0, atol=1e-13)
    _, expected = model.layers[0].self_attn(x, x, x, average_attn_weights=False)
    torch.testing.assert_close(attentions[0][1], expected.detach(), rtol=0, atol=1e-15)

    def refuse(_name, _weights):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), watch_attention(model, refuse):
        model(x)
    assert torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        observe(model, x)
        assert not torch.backends.mha.get_fastpath_enabled()
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_timm_fused_and_not(timm):
    sizes = {"img_size": 8, "patch_size": 2, "embed_dim": 12, "depth": 2, "num_heads": 3}
    model = timm.models.VisionTransformer(**sizes, num_classes=4).double().eval()
    images = torch.randn(5, 3, 8, 8, dtype=torch.float64)
    assert all(block.attn.fused_attn for block in model.blocks)
    fused, *_ = observe(model, images)
    softmax = []
    for block in model.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda *words: softmax.append(words[2]))
    model(images)
    expected = [weights.detach() for weights in softmax]
    plain, *_ = observe(model, images)
    assert [name for name, _ in plain] == ["blocks.0.attn", "blocks.1.attn"]
    assert [name for name, _ in fused] == ["blocks.0.attn", "blocks.1.attn"]
    for place, weights in enumerate(expected):
        assert torch.equal(plain[place][1], weights)
        torch.testing.assert_close(fused[place][1], weights, rtol=0, atol=1e-13)


class WrittenOut(nn.Module):
    """Attention as it is in tutorials, with the softmax called in one of several ways."""

    def __init__(self, softmax):
        super().__init__()
        self.to_qkv = nn.Linear(8, 24, bias=False)
        self.attend = softmax if isinstance(softmax, nn.Module) else None
        self.softmax = softmax

    def forward(self, x):
        q, k, v = self.to_qkv(x).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        self.weights = self.softmax(torch.einsum("nhqd,nhkd->nhqk", q, k) / 2)
        return (self.weights @ v).transpose(1, 2).flatten(2)


SOFTMAXES = {
    "method": lambda scores: scores.softmax(-1),
    "named dimension": lambda scores: scores.softmax(dim=3),
    "torch": lambda scores: torch.softmax(scores, dim=-1),
    "functional": lambda scores: F.softmax(scores, dim=-1, dtype=torch.float32),
    "module": nn.Softmax(dim=-1),
}


@pytest.mark.parametrize("name", SOFTMAXES)
def test_attention_that_is_written_out_is_seen_once(name):
    layers = [WrittenOut(SOFTMAXES[name]) for _ in range(2)]
    model = nn.Sequential(*layers).eval()
    attentions, before, after = observe(model, torch.randn(3, 5, 8))
    assert [path for path, _ in attentions] == ["0", "1"]
    assert torch.equal(before, after)
    for (_, weights), layer in zip(attentions, layers, strict=True):
        assert torch.equal(weights, layer.weights)


def test_a_softmax_that_is_no_attention():
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = WrittenOut(SOFTMAXES["method"])

        def forward(self, x):
            over_channels = x.view(2, 4, 3, 3).softmax(1)
            one_key = x.view(2, 6, 6, 1).softmax(-1)
            self.head(torch.randn(2, 5, 8))
            return F.softmax(over_channels.flatten(1) + one_key.flatten(1), dim=-1)

    attentions, *_ = observe(Classifier(), torch.randn(2, 36))
    assert attentions == []


def test_a_module_that_attends_more_than_once():
    attention = WrittenOut(SOFTMAXES["method"])
    model = nn.Sequential(attention, nn.Tanh(), attention)
    x = torch.randn(3, 5, 8)
    attentions, *_ = observe(model, x)
    assert [name for name, _ in attentions] == ["0", "0:2"]
    again = []
    with watch_attention(model, lambda name, _: again.append(name)):
        model(x)
        model(x)
    assert again == ["0", "0:2"] * 2


@pytest.mark.parametrize("name", ["mixer", "resnet with batch norm", "linear regression"])
def test_networks_without_attention(name):
    case = BY_NAME[name]
    attentions, before, after = observe(case.model(), case.data[0])
    assert attentions == []
    assert torch.equal(before, after)


# ---------------------------------------------------------------------------- one call at a time

MASKS = {
    "none": {},
    "causal": {"is_causal": True},
    "bool": {"attn_mask": torch.rand(3, 1, 5, 7, generator=torch.Generator().manual_seed(1)) < 0.7},
    "float": {"attn_mask": torch.linspace(-3, 2, 35, dtype=torch.float64).view(5, 7)},
    "scale": {"scale": 0.3},
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("groups", [1, 2])
def test_weights_of_the_fused_function(name, groups):
    options = {**MASKS[name], **({"enable_gqa": True} if groups > 1 else {})}
    torch.manual_seed(5)
    query = torch.randn(3, 4, 5, 6, dtype=torch.float64)
    key = torch.randn(3, 4 // groups, 7, 6, dtype=torch.float64)
    value = torch.randn(3, 4 // groups, 7, 6, dtype=torch.float64)
    weights = attention_weights(query, key, value, **options)
    repeated = value.repeat_interleave(groups, dim=1)
    expected = F.scaled_dot_product_attention(query, key, value, **options)
    torch.testing.assert_close(weights @ repeated, expected, rtol=0, atol=1e-13)
    mask = options.get("attn_mask")
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.where(mask, 0.0, -math.inf)
    if options.get("is_causal"):
        mask = torch.full((5, 7), -math.inf).triu(1)
    direct = by_definition(
        query, key.repeat_interleave(groups, dim=1), options.get("scale", 6**-0.5),
        None if mask is None else mask.numpy(),
    )  # fmt: skip
    np.testing.assert_allclose(weights, direct, rtol=0, atol=1e-14)


def test_weights_of_half_precision_are_made_in_single():
    query, key = torch.randn(2, 3, 5, 4).bfloat16(), torch.randn(2, 3, 5, 4).bfloat16()
    weights = attention_weights(query, key)
    assert weights.dtype == torch.float32
    np.testing.assert_allclose(weights, by_definition(query, key, 0.5), rtol=0, atol=1e-6)


def test_one_head_without_a_dimension_of_its_own():
    class Single(nn.Module):
        def forward(self, x):
            return F.scaled_dot_product_attention(x, x, x)

    ((_, weights),), *_ = observe(Single(), torch.randn(3, 5, 4))
    assert weights.shape == (3, 1, 5, 5)
