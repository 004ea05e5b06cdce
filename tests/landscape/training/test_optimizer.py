import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from landscape.training.optimizer import make_optimizer, match_layouts
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


STEPS = 5


def trained(optimizer, parameters, gradients):
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = torch.empty_like(parameter).copy_(gradient)
        optimizer.step()
    return [p.detach().clone() for p in parameters]


def random_gradients(model):
    return [[torch.randn_like(p) for p in model.parameters()] for _ in range(STEPS)]


def is_fused(optimizer):
    return [group["fused"] for group in optimizer.param_groups]


@pytest.mark.parametrize("opt", ["adamw", "sgd"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_one_kernel_takes_the_steps_of_the_formulas(opt, layout):
    """In float64, the fused kernels against those that torch computes tensor by tensor."""
    model = make("resnet-tiny").double().to(memory_format=layout)
    gradients = random_gradients(model)
    settings = replace(PLAIN, opt=opt, lr=0.1, weight_decay=0.3)
    results = []
    for fused in (True, False):
        copied = copy.deepcopy(model)
        optimizer = make_optimizer(copied, settings)
        assert is_fused(optimizer) == [True, True]
        for group in optimizer.param_groups:
            group["fused"] = fused
        results.append(trained(optimizer, list(copied.parameters()), gradients))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_parameters_with_gaps_in_memory_are_not_fused():
    """The fused kernels would write into the gaps."""
    model = nn.Linear(3, 4, bias=False)
    memory = torch.zeros(4, 6)
    model.weight = nn.Parameter(memory[:, ::2])
    optimizer = make_optimizer(model, replace(PLAIN, opt="sgd", lr=1.0, weight_decay=0.0))
    assert is_fused(optimizer) == [None, None]
    trained(optimizer, [model.weight], [[torch.ones(4, 3)]])
    assert torch.equal(memory[:, ::2], -torch.ones(4, 3))
    assert torch.equal(memory[:, 1::2], torch.zeros(4, 3))


@pytest.mark.parametrize("opt", ["adamw", "sgd"])
def test_a_state_of_another_memory_layout_is_stored_as_the_parameters_are(opt):
    settings = replace(PLAIN, opt=opt, lr=0.1)
    first = make("resnet-tiny")
    gradients = random_gradients(first)
    second = copy.deepcopy(first).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(first, settings)
    trained(optimizer, list(first.parameters()), gradients)
    resumed = make_optimizer(second, settings)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    match_layouts(resumed)
    second.load_state_dict(first.state_dict())
    expected = trained(optimizer, list(first.parameters()), gradients)
    found = trained(resumed, list(second.parameters()), gradients)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
