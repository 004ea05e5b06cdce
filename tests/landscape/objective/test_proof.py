"""Each part of the proof that values and derivatives are of one function catches its fault."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.errors import InputError
from tests.landscape.objective.problems import Objective32, Objective64, mlp, vectors

# ------------------------------------------------------------------- (a) the parameters are its own


class WithScale(nn.Module):
    """A model whose loss is a method of its own, with a parameter that only the loss uses."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)
        self.log_scale = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.layer(x)

    def loss(self, outputs, targets):
        return torch.exp(-self.log_scale) * F.cross_entropy(outputs, targets) + self.log_scale


def test_a_loss_that_reads_the_users_own_model_is_refused():
    model = mlp()

    def penalised(outputs, targets):
        penalty = sum(p.square().sum() for p in model.parameters())
        return F.cross_entropy(outputs, targets) + 0.1 * penalty

    with pytest.raises(InputError, match=r"no parameter of the model .*step=f\(model, batch\)"):
        Objective64(model, vectors(), penalised)


def test_a_bound_method_of_the_model_is_refused():
    model = WithScale()
    with pytest.raises(InputError, match=r"shape \(\).*step=f\(model, batch\)"):
        Objective32(model, vectors(), model.loss)


def test_a_step_that_uses_another_model_is_refused():
    model, other = mlp(), mlp()
    with pytest.raises(InputError, match="make it of what step is given"):
        Objective64(
            model, vectors(), step=lambda m, b: F.cross_entropy(m(b[0]) + other(b[0]), b[1])
        )


def test_a_metric_that_uses_another_model_is_refused():
    model, data = mlp(), vectors()
    metrics = {"gap": lambda outputs, _: (outputs - model(data[0])[:1]).abs().mean()}
    with pytest.raises(InputError, match="the metric gap depends on"):
        Objective64(model, data, metrics=metrics)


def test_a_frozen_teacher_is_a_constant():
    model, teacher = mlp(), mlp().requires_grad_(False)
    inputs, targets = vectors()

    def distilled(model, batch):
        return F.mse_loss(model(batch[0]), teacher(batch[0]))

    loss = Objective64(model, (inputs, targets), step=distilled).loss()
    assert loss == pytest.approx(distilled(model, (inputs, targets)).item(), rel=1e-12)


# ------------------------------------------------------------------- (b) one value in both modes


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, x):
        return self.layer(x) * (1.0 if torch.is_grad_enabled() else 1.01)


def test_a_value_that_depends_on_gradients_being_enabled_is_refused():
    with pytest.raises(InputError, match=r"without gradients and .* with them"):
        Objective64(Branching(), vectors())


def test_a_padding_mask_gives_one_function():
    """The fused inference path of torch writes zeros where the mask hides tokens."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)

    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.TransformerEncoder(layer, 1)
            self.head = nn.Linear(8, 3)

        def forward(self, x, hidden):
            return self.head(self.encoder(x, src_key_padding_mask=hidden).mean(1))

    model = Masked().double()
    inputs = torch.randn(6, 4, 8, dtype=torch.float64)
    hidden = torch.arange(4)[None] >= torch.tensor([4, 2, 3, 1, 4, 2])[:, None]
    targets = torch.arange(6) % 3
    objective = Objective64(model, [((inputs, hidden), targets)])
    expected = F.cross_entropy(model.eval()(inputs, hidden), targets)  # with gradients
    assert objective.loss() == pytest.approx(expected.item(), rel=1e-10)
    assert torch.backends.mha.get_fastpath_enabled()


# --------------------------------------------------------------- (c) the gradient is the slope


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):  # noqa: ARG004
        return 0.5 * torch.round(2 * x) + 0.1 * x

    @staticmethod
    def backward(ctx, gradient):  # noqa: ARG004
        return gradient


def test_a_gradient_that_is_no_slope_is_refused():
    class Quantised(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp()

        def forward(self, x):
            return StraightThrough.apply(self.body(x))

    with pytest.raises(InputError, match="slope of the loss along its gradient is"):
        Objective64(Quantised(), vectors())


def test_a_hook_that_changes_a_gradient_is_found():
    def scale_gradient(_module, _inputs, output):
        if output.requires_grad:
            output.register_hook(lambda gradient: 1.5 * gradient)

    model = mlp()
    model[0].register_forward_hook(scale_gradient)
    with pytest.raises(InputError, match="slope of the loss"):
        Objective64(model, vectors())


@pytest.mark.parametrize("scale", [30, 100, 1000])
@pytest.mark.parametrize("seed", range(6))
def test_a_network_that_is_sure_of_its_classes_is_no_fault(scale, seed):
    """Its loss is a difference of numbers of order 1, and steep where two classes meet."""
    torch.manual_seed(seed)
    model, inputs = mlp(), vectors()[0]
    with torch.no_grad():
        model[-1].weight *= scale
        model[-1].bias *= scale
        labels = model(inputs).argmax(1)
    expected = F.cross_entropy(model(inputs).double(), labels).item()
    assert Objective64(model, (inputs, labels)).loss() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Hardtanh, nn.GELU, nn.PReLU])
def test_kinks_are_no_fault(activation):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 40), activation(), nn.Linear(40, 3))
    Objective32(model, vectors(64))


# --------------------------------------------------------------------- a path to the parameters


class Detached(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = mlp()

    def forward(self, x):
        with torch.no_grad():
            return self.body(x)


def test_a_loss_without_a_path_to_the_parameters_is_refused():
    with pytest.raises(InputError, match=r"no gradient .* torch.no_grad\(\)"):
        Objective64(Detached(), vectors())
    with pytest.raises(InputError, match="no gradient .* detaches"):
        Objective64(mlp(), vectors(), lambda o, y: F.cross_entropy(o.detach(), y))


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("whole", [True, False])
def test_reentrant_checkpointing_is_named(whole):
    from torch.utils.checkpoint import checkpoint

    class Checkpointed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.body = nn.Linear(5, 5), mlp()

        def forward(self, x):
            return checkpoint(self.body, x if whole else self.first(x), use_reentrant=True)

    with pytest.raises(InputError, match="reentrant checkpointing"):
        Objective64(Checkpointed(), vectors())
