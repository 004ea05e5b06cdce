"""Which activation layers are an MLP's, by name."""

import pytest

from landscape.hooks.layer_names import feature_mlps, mlp_kind

VIT = ["blocks.0.mlp.act", "blocks.1.mlp.act"]
MIXER = [f"blocks.{block}.mlp_{kind}.act" for block in range(2) for kind in ("tokens", "channels")]
RESNET = ["act1", "layer1.0.act1", "layer1.0.act2"]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [(VIT, [0, 1]), (MIXER, [1, 3]), (RESNET, [0, 1, 2]), (["norm.gelu", *VIT], [1, 2]), ([], [])],
)
def test_those_that_mix_features(layers, expected):
    assert feature_mlps(layers) == expected


def test_kinds():
    kinds = [mlp_kind(layer) for layer in (*VIT[:1], *MIXER[:2], *RESNET[:1])]
    assert kinds == ["mlp", "mlp_tokens", "mlp_channels", ""]
