"""Initial weights against the table of the published JAX code, for every tensor of each family."""

import math
import re

import pytest
import torch

from benchmarks.initialisation import NAMED, PUBLISHED, lecun, matrices_of, measure, xavier
from landscape.models.mixer import MlpMixer
from landscape.models.resnet import ResNet
from landscape.models.vit import VisionTransformer

PICTURES = {"image_size": 12, "num_classes": 7, "channels": 3}
MODELS = {
    "vit": lambda: VisionTransformer(
        **PICTURES, patch_size=2, dim=48, depth=2, heads=4, mlp_dim=120
    ),
    "mixer": lambda: MlpMixer(
        **PICTURES, patch_size=2, dim=48, depth=2, token_dim=30, channel_dim=120
    ),
    "resnet": lambda: ResNet(**PICTURES, layers=(1, 2), width=16, zero_init_residual=True),
}


@pytest.fixture(scope="module", params=list(NAMED))
def drawn(request):
    """A family's name and its tensors, queries, keys and values apart."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return request.param, dict(matrices_of(MODELS[request.param]()))


def rule_for(family, name):
    rules = [rule for pattern, rule in PUBLISHED[family].items() if re.fullmatch(pattern, name)]
    assert len(rules) == 1, name
    return rules[0]


def test_variance_times_fan_in_is_the_published_codes(drawn):
    family, tensors = drawn
    for name, values in tensors.items():
        expected = rule_for(family, name)(tuple(values.shape))
        # Of n normal numbers the mean square deviates by a share of sqrt(2 / n), else by less.
        tolerance = 5 * math.sqrt(2 / values.numel()) if expected != 1 or values.dim() > 1 else 0
        assert measure(values) == pytest.approx(expected, rel=tolerance, abs=0), name


def test_weights_are_truncated_normal_or_uniform(drawn):
    family, tensors = drawn
    for name, values in tensors.items():
        rule = rule_for(family, name)
        scaled = values.flatten() * math.sqrt(values.shape[1:].numel())
        if rule is lecun:
            # The deviation and the kurtosis of scipy.stats.truncnorm(-2, 2).
            bound, fourth = 2 / 0.87962566103423978, 2.3655
        elif rule is xavier and not name.endswith("bias"):
            bound, fourth = math.sqrt(3 * rule(tuple(values.shape))), 9 / 5
        else:
            continue
        if values.numel() < 1000:
            continue
        assert 0.95 * bound < scaled.abs().max() <= bound * (1 + 1e-6), name
        kurtosis = (scaled**4).mean() / (scaled**2).mean() ** 2
        assert kurtosis.item() == pytest.approx(fourth, abs=0.25), name


def test_the_head_bias_and_the_last_scale_are_arguments():
    torch.manual_seed(0)
    sizes = {**PICTURES, "patch_size": 4, "dim": 8, "depth": 1, "head_bias": -10.0}
    vit = VisionTransformer(**sizes, heads=2, mlp_dim=8)
    mixer = MlpMixer(**sizes, token_dim=8, channel_dim=8)
    for model in (vit, mixer):
        assert model.head.bias.tolist() == [-10.0] * 7
    for block, last in (("basic", "bn2"), ("bottleneck", "bn3")):
        for zero in (False, True):
            model = ResNet(**PICTURES, layers=(2, 1), width=4, block=block, zero_init_residual=zero)
            for name, parameter in model.named_parameters():
                if re.search(r"(bn\d|downsample\.1)\.weight$", name):
                    is_zero = zero and name.startswith("layer") and name.endswith(f"{last}.weight")
                    assert bool((parameter == (0 if is_zero else 1)).all()), name


def test_with_last_scales_of_zero_a_block_is_its_shortcut():
    torch.manual_seed(0)
    sizes = {**PICTURES, "width": 4, "block": "basic", "stem": "small"}
    network = ResNet(**sizes, layers=(2,), zero_init_residual=True).train()
    x = torch.rand(3, 4, 12, 12)
    assert torch.equal(network.layer1(x), x)
