import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from landscape.training.optimizer import make_optimizer
from landscape.training.settings import OPTIMIZER_DEFAULTS, TrainSettings
from tests.landscape.training.runs import PLAIN, make


@pytest.mark.parametrize(
    ("name", "undecayed"),
    [
        ("vit-tiny", {"cls_token", "pos_embed"}),
        ("mixer-tiny", set()),
        ("resnet-tiny", set()),
    ],
)
def test_only_kernels_decay(name, undecayed):
    model = make(name)
    names = {id(p): key for key, p in model.named_parameters()}
    decayed, rest = (
        {names[id(p)] for p in group["params"]}
        for group in make_optimizer(model, PLAIN).param_groups
    )
    kernels = {
        f"{key}.weight"
        for key, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }
    assert decayed == kernels
    assert rest == set(names.values()) - kernels
    assert undecayed <= rest
    assert any(key.endswith("bias") for key in rest)


@pytest.mark.parametrize("opt", ["adamw", "sgd"])
def test_without_a_gradient_kernels_shrink_and_nothing_else_moves(opt):
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5)
    before = copy.deepcopy(dict(model.named_parameters()))
    optimizer = make_optimizer(model, replace(PLAIN, opt=opt, lr=0.1, weight_decay=0.3))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        is_kernel = parameter.dim() > 1 and name not in ("cls_token", "pos_embed")
        torch.testing.assert_close(
            parameter, before[name] * (1 - 0.1 * 0.3 * is_kernel), rtol=1e-6, atol=0, msg=name
        )


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_plain_or_nesterovs(nesterov):
    """v = mu v + g, then a step along v, or along g + mu v (Sutskever et al., 2013), in float64."""
    model = nn.Linear(3, 2, bias=False).double()
    settings = replace(PLAIN, opt="sgd", lr=0.1, momentum=0.8, weight_decay=0.0, nesterov=nesterov)
    optimizer = make_optimizer(model, settings)
    weight = model.weight.detach().clone()
    velocity = torch.zeros_like(weight)
    for _ in range(4):
        gradient = torch.randn_like(weight)
        model.weight.grad = gradient.clone()
        optimizer.step()
        velocity = 0.8 * velocity + gradient
        weight -= 0.1 * (gradient + 0.8 * velocity if nesterov else velocity)
        torch.testing.assert_close(model.weight.detach(), weight)


def test_the_defaults_of_each_optimizer():
    for opt, (rate, decay) in OPTIMIZER_DEFAULTS.items():
        settings = TrainSettings(opt=opt)
        assert (settings.peak_lr, settings.decay) == (rate, decay)
        kernels, rest = make_optimizer(make(depth=1), settings).param_groups
        assert (kernels["lr"], kernels["weight_decay"]) == (rate, decay)
        assert (rest["lr"], rest["weight_decay"]) == (rate, 0.0)
    chosen = TrainSettings(lr=0.5, weight_decay=0.0)
    assert (chosen.peak_lr, chosen.decay) == (0.5, 0.0)
