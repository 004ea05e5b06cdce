import math
from contextlib import nullcontext
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from landscape.errors import InputError
from landscape.models.catalog import resolve_model
from landscape.objective import Objective
from tests.oracles.cases import BY_NAME, CASES, NUM_SAMPLES, randomise
from tests.oracles.dense import dense_gradient, dense_hessian, dense_theta

# The oracles live on the CPU, so the objectives do too, whatever the machine has.
Objective64 = partial(Objective, device="cpu", dtype=torch.float64)
Objective32 = partial(Objective, device="cpu", dtype=torch.float32)

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def mlp(inputs=5, classes=3):
    return randomise(nn.Sequential(nn.Linear(inputs, 6), nn.Tanh(), nn.Linear(6, classes)).double())


def vectors(count=12, inputs=5, classes=3):
    return torch.randn(count, inputs, dtype=torch.float64), torch.randint(classes, (count,))


def batches(inputs, targets, sizes):
    return list(zip(inputs.split(sizes), targets.split(sizes), strict=True))


def close(actual, expected, rtol):
    """Equal up to ``rtol`` of the largest entry: a zero among them has no relative error."""
    torch.testing.assert_close(actual, expected, rtol=0, atol=rtol * float(expected.abs().max()))


# ------------------------------------------------------------------------------- derivatives


@every_case
def test_theta_is_the_trainable_parameters_in_order(case):
    model = case.model()
    objective = Objective64(model, case.data, case.loss)
    assert torch.equal(objective.theta, dense_theta(model))
    assert objective.num_parameters == len(objective.theta) < 1500
    assert objective.num_samples == NUM_SAMPLES


@every_case
def test_loss_is_that_of_the_model(case):
    model, (inputs, targets) = case.model(), case.data
    expected = case.loss(model(inputs), targets).item()
    assert Objective64(model, case.data, case.loss).loss() == pytest.approx(expected, rel=1e-14)


@every_case
@pytest.mark.parametrize("batch_size", [1, 3, NUM_SAMPLES])
def test_gradient_is_the_dense_one(case, batch_size):
    objective = Objective64(case.model(), case.data, case.loss, batch_size=batch_size)
    gradient = objective.gradient()
    assert gradient.shape == (objective.num_parameters,)
    assert gradient.dtype == torch.float64
    close(gradient, case.gradient(), 1e-10)


@every_case
@pytest.mark.parametrize("batch_size", [3, NUM_SAMPLES])
def test_hessian_product_is_the_dense_one(case, batch_size):
    objective = Objective64(case.model(), case.data, case.loss, batch_size=batch_size)
    several = torch.randn(objective.num_parameters, 3, dtype=torch.float64)
    products = objective.hessian_product(several)
    assert products.shape == several.shape
    close(products, case.hessian() @ several, 1e-10)

    one = several[:, 1]
    product = objective.hessian_product(one)
    assert product.shape == one.shape
    close(product, case.hessian() @ one, 1e-10)


@pytest.mark.parametrize("name", ["mlp with frozen parameters", "linear regression"])
def test_hessian_from_products_is_the_dense_one_entry_by_entry(name):
    case = BY_NAME[name]
    objective = Objective64(case.model(), case.data, case.loss, batch_size=2)
    identity = torch.eye(objective.num_parameters, dtype=torch.float64)
    close(objective.hessian_product(identity), case.hessian(), 1e-10)


def test_unused_parameters_have_zero_derivatives():
    case = BY_NAME["mlp with an unused layer"]
    objective = Objective64(case.model(), case.data, case.loss)
    idle = torch.cat(
        [
            torch.full((shape.numel(),), name.startswith("idle"))
            for name, shape in zip(objective.layout.names, objective.layout.shapes, strict=True)
        ]
    )
    assert idle.sum() == 15
    gradient = objective.gradient()
    product = objective.hessian_product(torch.ones_like(objective.theta))
    assert not gradient[idle].any()
    assert not product[idle].any()
    assert gradient[~idle].all()
    assert product[~idle].all()


@every_case
def test_derivatives_at_another_theta(case):
    """The derivatives at theta are those of a model that has theta for weights."""
    objective = Objective64(case.model(), case.data, case.loss, batch_size=4)
    theta = objective.theta + 0.1 * torch.randn_like(objective.theta)
    moved = case.model()
    nn.utils.vector_to_parameters(theta, [p for p in moved.parameters() if p.requires_grad])
    there = Objective64(moved, case.data, case.loss, batch_size=4)
    direction = torch.randn_like(theta)

    assert objective.evaluate(theta) == pytest.approx(there.evaluate(), nan_ok=True)
    assert objective.loss(theta) == there.loss()
    assert objective.loss(theta) != objective.loss()
    assert torch.equal(objective.gradient(theta), there.gradient())
    assert torch.equal(
        objective.hessian_product(direction, theta), there.hessian_product(direction)
    )


def test_single_precision_derivatives_are_near_those_in_double():
    case = BY_NAME["vit"]
    objective = Objective32(case.model(), case.data)
    vector = torch.randn(objective.num_parameters)
    assert objective.theta.dtype == torch.float32
    close(objective.gradient().double(), case.gradient(), 1e-5)
    close(objective.hessian_product(vector).double(), case.hessian() @ vector.double(), 1e-5)


def test_a_loss_that_is_linear_in_theta_has_a_zero_hessian():
    def mean_output(outputs, _targets):
        return outputs.mean()

    objective = Objective64(nn.Linear(5, 2), vectors(), mean_output)
    product = objective.hessian_product(torch.ones(12, 2, dtype=torch.float64))
    assert torch.equal(product, torch.zeros(12, 2, dtype=torch.float64))
    assert objective.gradient().abs().sum() > 0


def test_encoder_layer_of_torch():
    """Its eval mode takes a fused path without gradients; derivatives must not."""

    def encoder():
        return nn.Sequential(
            nn.TransformerEncoderLayer(6, 2, 7, dropout=0.0, batch_first=True),
            nn.Flatten(),
            nn.Linear(4 * 6, 3),
        ).double()

    model = randomise(encoder())
    inputs, targets = torch.randn(5, 4, 6, dtype=torch.float64), torch.randint(3, (5,))
    # Without dropout both modes are one function; in train mode no fused path is taken.
    model.train()
    objective = Objective64(model, (inputs, targets), batch_size=3)
    direction = torch.randn(objective.num_parameters, 2, dtype=torch.float64)
    expected = F.cross_entropy(model(inputs), targets).item()
    assert objective.loss() == pytest.approx(expected, rel=1e-12)
    close(objective.gradient(), dense_gradient(model, inputs, targets, F.cross_entropy), 1e-10)
    hessian = dense_hessian(model, inputs, targets, F.cross_entropy)
    close(objective.hessian_product(direction), hessian @ direction, 1e-10)


@pytest.mark.parametrize("context", [nullcontext, torch.no_grad], ids=["plain", "no_grad"])
def test_derivatives_do_not_depend_on_the_callers_grad_mode(context):
    case = BY_NAME["linear regression"]
    objective = Objective64(case.model(), case.data, case.loss)
    direction = torch.ones_like(objective.theta)
    with context():
        gradient, product = objective.gradient(), objective.hessian_product(direction)
    close(gradient, case.gradient(), 1e-10)
    close(product, case.hessian() @ direction, 1e-10)


@pytest.mark.parametrize("shape", [(11,), (13, 2), (2, 12), ()], ids=str)
def test_vectors_of_another_shape_are_refused(shape):
    objective = Objective64(nn.Linear(5, 2), vectors(classes=2))
    assert objective.num_parameters == 12
    with pytest.raises(InputError, match="12"):
        objective.hessian_product(torch.ones(shape, dtype=torch.float64))


def test_theta_of_another_shape_is_refused():
    objective = Objective64(nn.Linear(5, 2), vectors(classes=2))
    with pytest.raises(InputError, match=r"\(12,\), got \(11,\)"):
        objective.loss(torch.zeros(11))


# ------------------------------------------------------------------------------- the mean


@every_case
@pytest.mark.parametrize("sizes", [[5, 2], [1, 1, 5], [3, 3, 1]], ids=str)
def test_uneven_batches_equal_one_batch(case, sizes):
    whole = Objective64(case.model(), case.data, case.loss)
    parts = Objective64(case.model(), batches(*case.data, sizes), case.loss)
    assert [batch.size for batch in parts.batches] == sizes
    direction = torch.randn_like(whole.theta)
    one, other = whole.evaluate(), parts.evaluate()
    assert other.loss == pytest.approx(one.loss, rel=1e-12)
    assert other.accuracy == pytest.approx(one.accuracy, rel=1e-12, nan_ok=True)
    close(parts.gradient(), whole.gradient(), 1e-12)
    close(parts.hessian_product(direction), whole.hessian_product(direction), 1e-12)


@pytest.mark.parametrize("count", [1, 7, 29])  # their inverses aren't binary fractions
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
@pytest.mark.parametrize("name", ["vit-tiny", "mixer-tiny", "resnet-tiny"])
def test_loss_of_one_batch_is_the_models_own_to_the_last_bit(name, dtype, count):
    sizes = {"image_size": 8, "channels": 1, "num_classes": 4}
    model = randomise(resolve_model(name, sizes).build().to(dtype))
    inputs, targets = torch.randn(count, 1, 8, 8, dtype=dtype), torch.randint(4, (count,))
    with torch.no_grad():
        expected = F.cross_entropy(model.eval()(inputs), targets).item()
    objective = Objective(model, (inputs, targets), device="cpu", dtype=dtype)
    assert objective.loss() == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
def test_loss_of_one_batch_is_exact_whatever_its_value(dtype):
    inputs, targets = vectors(11)
    inputs = 3.0 * inputs.to(dtype)
    wrong = []
    for _ in range(30):
        model = mlp().to(dtype)
        with torch.no_grad():
            expected = F.cross_entropy(model(inputs), targets).item()
        loss = Objective(model, (inputs, targets), device="cpu", dtype=dtype).loss()
        if loss != expected:
            wrong.append((loss, expected))
    assert wrong == []


@settings(max_examples=25, deadline=None, database=None)
@given(data=st.data(), count=st.integers(2, 20))
def test_any_partition_has_the_same_loss(data, count):
    cuts = data.draw(st.sets(st.integers(1, count - 1)))
    edges = [0, *sorted(cuts), count]
    sizes = [stop - start for start, stop in zip(edges, edges[1:], strict=False)]
    model, (inputs, targets) = mlp(), vectors(count)
    expected = F.cross_entropy(model(inputs), targets).item()
    objective = Objective64(model, batches(inputs, targets, sizes))
    assert objective.loss() == pytest.approx(expected, rel=1e-12, abs=1e-12)


@settings(max_examples=25, deadline=None, database=None)
@given(seed=st.integers(0, 2**31 - 1), a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_hessian_product_is_linear_and_symmetric(seed, a, b):
    case = BY_NAME["mlp with frozen parameters"]
    objective = Objective64(case.model(), case.data, batch_size=3)
    torch.manual_seed(seed)
    u, v = torch.randn(2, objective.num_parameters, dtype=torch.float64)
    hu, hv = objective.hessian_product(u), objective.hessian_product(v)
    combined = objective.hessian_product(a * u + b * v)
    torch.testing.assert_close(combined, a * hu + b * hv, rtol=1e-10, atol=1e-12)
    assert torch.dot(u, hv).item() == pytest.approx(torch.dot(v, hu).item(), rel=1e-10, abs=1e-12)


def test_accuracy_is_per_cent():
    model = nn.Linear(3, 3, bias=False)
    nn.init.eye_(model.weight)
    inputs = torch.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]
    targets = torch.tensor([0, 1, 2, 0, 1, 0, 1, 2])  # the first five are right
    assert Objective32(model, (inputs, targets), batch_size=3).evaluate().accuracy == 62.5


def test_accuracy_of_a_regression_is_nan():
    case = BY_NAME["linear regression"]
    evaluation = Objective64(case.model(), case.data, case.loss).evaluate()
    assert math.isnan(evaluation.accuracy)
    assert evaluation.loss > 0


@pytest.mark.parametrize("batch_size", [5, 12])
def test_standard_error_by_hand(batch_size):
    model, (inputs, targets) = mlp(), vectors(12)
    with torch.no_grad():
        losses = [-math.log(row.softmax(0)[y]) for row, y in zip(model(inputs), targets)]  # noqa: B905
    mean = sum(losses) / 12
    std = math.sqrt(sum((value - mean) ** 2 for value in losses) / 11)
    objective = Objective64(model, (inputs, targets), batch_size=batch_size)
    assert objective.evaluate().loss_stderr == pytest.approx(std / math.sqrt(12), rel=1e-10)


@every_case
def test_standard_error_is_that_of_the_samples_one_by_one(case):
    model, (inputs, targets) = case.model(), case.data
    losses = torch.stack(
        [case.loss(model(inputs[k : k + 1]), targets[k : k + 1]) for k in range(NUM_SAMPLES)]
    )
    expected = losses.std().item() / math.sqrt(NUM_SAMPLES)
    error = Objective64(model, case.data, case.loss, batch_size=3).evaluate().loss_stderr
    assert error == pytest.approx(expected, rel=1e-10)


def test_standard_error_at_another_theta():
    model, (inputs, targets) = mlp(), vectors(12)
    objective = Objective64(model, (inputs, targets))
    # With all weights zero every sample has the loss log 3.
    assert objective.evaluate(torch.zeros_like(objective.theta)).loss_stderr < 1e-15
    assert objective.evaluate().loss_stderr > 0.01


def test_standard_error_of_a_single_sample_is_nan():
    assert math.isnan(Objective64(mlp(), vectors(1)).evaluate().loss_stderr)


class DictOutput(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = mlp()

    def forward(self, x):
        return {"logits": self.body(x)}


def test_outputs_of_any_structure():
    """The loss and its error are taken from them; accuracy is nan: nothing says what it is."""

    def loss(outputs, targets):
        return F.cross_entropy(outputs["logits"], targets)

    model, (inputs, targets) = DictOutput(), vectors()
    objective = Objective64(model, (inputs, targets), loss)
    evaluation = objective.evaluate()
    expected = F.cross_entropy(model.body(inputs), targets).item()
    assert evaluation.loss == pytest.approx(expected, rel=1e-12)
    assert math.isnan(evaluation.accuracy)
    plain = Objective64(model.body, (inputs, targets))
    assert objective.evaluate().loss_stderr == pytest.approx(
        plain.evaluate().loss_stderr, rel=1e-12
    )


def test_outputs_are_the_models():
    model, (inputs, targets) = mlp(), vectors(7)
    objective = Objective64(model, (inputs, targets), batch_size=3)
    seen = list(objective.outputs())
    assert [batch.size for batch, _ in seen] == [3, 3, 1]
    assert not any(outputs.requires_grad for _, outputs in seen)
    with torch.no_grad():
        close(torch.cat([outputs for _, outputs in seen]), model(inputs), 1e-14)


# ------------------------------------------------------------------------------- the same function


def state_of(module):
    return {key: value.clone() for key, value in module.state_dict().items()}


def assert_same_state(module, state):
    now = module.state_dict()
    assert list(now) == list(state)
    for key, value in state.items():
        assert torch.equal(now[key], value), key


@pytest.mark.parametrize("ask", ["loss", "evaluate", "gradient"])
def test_evaluating_elsewhere_restores_the_weights(ask):
    case = BY_NAME["resnet with batch norm"]
    objective = Objective64(case.model(), case.data)
    before, loss = state_of(objective.module), objective.loss()
    getattr(objective, ask)(objective.theta + 1.0)
    assert_same_state(objective.module, before)
    assert objective.loss() == loss


def test_a_hessian_product_elsewhere_restores_the_weights():
    case = BY_NAME["resnet with batch norm"]
    objective = Objective64(case.model(), case.data)
    before, loss = state_of(objective.module), objective.loss()
    objective.hessian_product(objective.theta, objective.theta + 1.0)
    assert_same_state(objective.module, before)
    assert objective.loss() == loss


@pytest.mark.parametrize("ask", ["loss", "gradient", "hessian_product"])
def test_weights_are_restored_when_the_loss_raises(ask):
    armed = []

    def explosive(outputs, targets):
        if armed:
            raise ArithmeticError("as told")
        return F.cross_entropy(outputs, targets)

    objective = Objective64(mlp(), vectors(), explosive, batch_size=5)
    before, loss = state_of(objective.module), objective.loss()
    elsewhere = objective.theta + 1.0
    arguments = (objective.theta, elsewhere) if ask == "hessian_product" else (elsewhere,)
    armed.append(True)
    with pytest.raises(ArithmeticError, match="as told"):
        getattr(objective, ask)(*arguments)
    armed.clear()
    assert_same_state(objective.module, before)
    assert objective.loss() == loss


def test_a_theta_that_requires_a_gradient_is_only_read():
    objective = Objective64(mlp(), vectors())
    theta = (objective.theta + 0.1).requires_grad_()
    assert objective.loss(theta) == objective.loss(theta.detach())
    assert torch.equal(objective.gradient(theta), objective.gradient(theta.detach()))
    assert theta.grad is None
    assert not objective.gradient().requires_grad


def test_the_users_module_stays_as_it_is():
    case = BY_NAME["resnet with batch norm"]
    model = case.model().float().train()
    model.conv1.requires_grad_(False)
    model.layer1.eval()
    state, flags = state_of(model), [p.requires_grad for p in model.parameters()]
    modes, storage = [m.training for m in model.modules()], model.fc.weight.data_ptr()
    objective = Objective64(model, case.data, batch_size=3)
    theta = objective.theta + 1.0
    objective.evaluate(theta)
    objective.gradient(theta)
    objective.hessian_product(theta, theta)

    assert_same_state(model, state)
    assert [p.requires_grad for p in model.parameters()] == flags
    assert [m.training for m in model.modules()] == modes
    assert model.fc.weight.data_ptr() == storage
    assert model.fc.weight.dtype == torch.float32
    assert all(p.grad is None for p in model.parameters())


def test_changing_the_users_module_does_not_change_the_function():
    model = mlp()
    objective = Objective64(model, vectors())
    loss = objective.loss()
    with torch.no_grad():
        model[0].weight.zero_()
    assert objective.loss() == loss


@pytest.mark.parametrize("form", ["tensors", "loader that refills one buffer"])
def test_overwriting_the_users_tensors_does_not_change_the_function(form):
    model, (inputs, targets) = mlp(), vectors()
    expected = F.cross_entropy(model(inputs), targets).item()

    def refilled():
        buffer, numbers = inputs[:4].clone(), targets[:4].clone()
        for x, y in batches(inputs, targets, 4):
            yield buffer.copy_(x), numbers.copy_(y)

    data = (inputs, targets) if form == "tensors" else refilled()
    objective = Objective64(model, data)
    inputs.zero_()
    assert objective.loss() == pytest.approx(expected, rel=1e-12)


def test_a_model_in_train_mode_is_measured_in_eval_mode():
    case = BY_NAME["resnet with batch norm"]
    body = case.model()
    model = nn.Sequential(body, nn.Dropout(0.5)).train()
    inputs, targets = case.data
    objective = Objective64(model, case.data)
    assert objective.loss() == objective.loss()
    expected = F.cross_entropy(body.eval()(inputs), targets).item()
    assert objective.loss() == pytest.approx(expected, rel=1e-14)
    assert model.training


def test_the_global_generator_is_left_alone():
    case = BY_NAME["linear regression"]
    state = torch.get_rng_state()
    objective = Objective64(case.model(), case.data, case.loss)
    objective.hessian_product(objective.gradient())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("wrap", ["data parallel", "compiled", "both"])
def test_wrappers_are_taken_off(wrap):
    class Compiled(nn.Module):
        """What torch.compile returns, in the respect that matters."""

        def __init__(self, model):
            super().__init__()
            self._orig_mod = model

        def forward(self, *_):
            raise AssertionError("the wrapper was called")

    model, data = mlp(), vectors()
    wrapped = model
    if wrap != "compiled":
        wrapped = nn.DataParallel(wrapped)
    if wrap != "data parallel":
        wrapped = Compiled(wrapped)
    objective = Objective64(wrapped, data)
    assert type(objective.module) is nn.Sequential
    assert objective.layout.names == ("0.weight", "0.bias", "2.weight", "2.bias")
    assert objective.loss() == Objective64(model, data).loss()


# ------------------------------------------------------------------------------- forms of data


class Samples(Dataset):
    """A map-style dataset with Python numbers for targets."""

    def __init__(self, inputs, targets):
        self.inputs, self.targets = inputs, targets

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        return self.inputs[index], int(self.targets[index])


class Sequence:
    """A dataset by behaviour only."""

    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return self.samples[index]


class Stream(IterableDataset):
    def __init__(self, samples):
        self.samples = samples

    def __iter__(self):
        return (self.samples[k] for k in range(len(self.samples)))


FORMS = {
    "tensors": lambda x, y: (x, y),
    "TensorDataset": TensorDataset,
    "Dataset": Samples,
    "IterableDataset": lambda x, y: Stream(Samples(x, y)),
    "dataset by behaviour": lambda x, y: Sequence(Samples(x, y)),
    "DataLoader": lambda x, y: DataLoader(TensorDataset(x, y), batch_size=5),
    "list of batches": lambda x, y: batches(x, y, 5),
    "tuple of two batches": lambda x, y: tuple(batches(x, y, 6)),
    "batches as lists": lambda x, y: [list(batch) for batch in batches(x, y, 5)],
    "generator": lambda x, y: (batch for batch in batches(x, y, 5)),
    "single precision": lambda x, y: [(a.float(), b) for a, b in batches(x, y, 5)],
    "with an empty batch": lambda x, y: [(x[:0], y[:0]), *batches(x, y, 5)],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_data_is_the_same_data(form):
    model, (inputs, targets) = mlp(), vectors(12)
    inputs = inputs.float().double()  # so that nothing is lost in single precision
    expected = Objective64(model, (inputs, targets)).evaluate()
    objective = Objective64(model, FORMS[form](inputs, targets), batch_size=5)
    assert torch.equal(torch.cat([batch.inputs for batch in objective.batches]), inputs)
    assert torch.equal(torch.cat([batch.targets for batch in objective.batches]), targets)
    assert objective.num_samples == 12
    assert objective.evaluate().loss == pytest.approx(expected.loss, rel=1e-12)
    assert objective.evaluate() == objective.evaluate()  # a generator is read once
    assert objective.evaluate().accuracy == expected.accuracy


def test_a_shuffled_loader_is_fixed():
    model, (inputs, targets) = mlp(), vectors(12)
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=5, shuffle=True)
    objective = Objective64(model, loader)
    assert len({objective.loss() for _ in range(3)}) == 1
    assert len({objective.sample_hash() for _ in range(3)}) == 1
    expected = F.cross_entropy(model(inputs), targets).item()
    assert objective.loss() == pytest.approx(expected, rel=1e-12)


def test_a_random_augmentation_is_fixed():
    model, (inputs, targets) = mlp(), vectors(12)
    noisy = ((x + torch.randn_like(x), y) for x, y in batches(inputs, targets, 5))
    objective = Objective64(model, noisy)
    assert len({objective.loss() for _ in range(3)}) == 1


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(5, 3), nn.Linear(4, 3)

    def forward(self, left, right):
        return self.left(left) - 2.0 * self.right(right)


@pytest.mark.parametrize("form", ["tuple", "list", "dict", "dataset of tuples", "dataset of dicts"])
def test_several_inputs(form):
    model = TwoInputs().double()
    left, right = torch.randn(7, 5, dtype=torch.float64), torch.randn(7, 4, dtype=torch.float64)
    targets = torch.randint(3, (7,))
    data = {
        "tuple": [((left[:4], right[:4]), targets[:4]), ((left[4:], right[4:]), targets[4:])],
        "list": [([left, right], targets)],
        "dict": [({"right": right, "left": left}, targets)],
        "dataset of tuples": Sequence(
            [((a, b), y) for a, b, y in zip(left, right, targets, strict=True)]
        ),
        "dataset of dicts": Sequence(
            [({"left": a, "right": b}, y) for a, b, y in zip(left, right, targets, strict=True)]
        ),
    }[form]
    objective = Objective64(model, data, batch_size=3)
    expected = F.cross_entropy(model(left, right), targets)
    assert objective.num_samples == 7
    assert objective.loss() == pytest.approx(expected.item(), rel=1e-12)
    close(
        objective.gradient(),
        torch.cat([g.reshape(-1) for g in torch.autograd.grad(expected, model.parameters())]),
        1e-12,
    )


def test_integer_inputs_stay_integers():
    model = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(8, 3)).double()
    tokens, targets = torch.randint(9, (6, 2)), torch.randint(3, (6,))
    expected = F.cross_entropy(model(tokens), targets).item()
    assert Objective64(model, (tokens, targets)).loss() == pytest.approx(expected, rel=1e-14)


def test_sample_hash_is_of_the_samples():
    model, (inputs, targets) = mlp(), vectors(12)
    digest = Objective64(model, (inputs, targets)).sample_hash()
    assert len(digest) == 64
    same = Objective64(mlp(), (inputs.clone(), targets.clone()))
    assert same.sample_hash() == digest
    same.evaluate(same.theta + 1.0)
    same.hessian_product(same.gradient())
    assert same.sample_hash() == digest

    other_inputs, other_targets = inputs.clone(), targets.clone()
    other_inputs[11, 4] += 1e-9
    other_targets[3] = (targets[3] + 1) % 3
    others = [(other_inputs, targets), (inputs, other_targets), (inputs[:11], targets[:11])]
    others.append((inputs.flip(0), targets.flip(0)))
    digests = [Objective64(model, data).sample_hash() for data in others]
    assert len({digest, *digests}) == 5


def test_sample_hash_does_not_depend_on_the_batch_size():
    """Two runs on the same samples say so, whatever memory each had."""
    model, data = mlp(), vectors(12)
    digests = {Objective64(model, data, batch_size=size).sample_hash() for size in (3, 5, 12)}
    assert len(digests) == 1


# ------------------------------------------------------------------------------- refusals


class AlwaysDropout(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.5)  # its default is training=True


class ForgottenDropout(nn.Module):
    """The usual way to write it: no module of its own, and the mode forgotten."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(5, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.second(F.dropout(self.first(x), 0.5))


def test_dropout_that_is_always_on_is_refused_by_name():
    model = nn.Sequential(nn.Linear(5, 6), AlwaysDropout(), nn.Linear(6, 3))
    with pytest.raises(InputError, match=r"not deterministic.* module 1 \(AlwaysDropout\)"):
        Objective64(model, vectors())


def test_dropout_in_a_forward_method_is_blamed_on_that_module():
    model = nn.Sequential(nn.Identity(), ForgottenDropout(), nn.Identity())
    with pytest.raises(InputError, match="not deterministic") as caught:
        Objective64(model, vectors())
    assert "1 (ForgottenDropout)" in str(caught.value)
    assert "Linear" not in str(caught.value)


def test_a_random_loss_function_is_refused():
    def noisy(outputs, targets):
        return F.cross_entropy(outputs + torch.randn_like(outputs), targets)

    with pytest.raises(InputError, match="not deterministic.* loss function"):
        Objective64(mlp(), vectors(), noisy)


@pytest.mark.parametrize("count", [2, 3, 4, 12])
def test_batch_norm_without_running_statistics_is_refused_by_name(count):
    norm = nn.BatchNorm1d(6, track_running_stats=False)
    model = nn.Sequential(nn.Linear(5, 6), norm, nn.Linear(6, 3))
    with pytest.raises(InputError, match=r"batched.*\b1\b.* normalises with the stat"):
        Objective64(model, vectors(count))


def test_a_sum_over_the_batch_is_refused():
    with pytest.raises(InputError, match="not a mean over the batch"):
        Objective64(mlp(), vectors(), nn.CrossEntropyLoss(reduction="sum"))


def test_verify_false_measures_it_all_the_same():
    model, (inputs, targets) = mlp(), vectors()
    loss = nn.CrossEntropyLoss(reduction="sum")
    objective = Objective64(model, (inputs, targets), loss, verify=False)
    assert objective.loss() == pytest.approx(loss(model(inputs), targets).item(), rel=1e-14)


def test_one_sample_can_be_measured():
    model, (inputs, targets) = mlp(), vectors(1)
    expected = F.cross_entropy(model(inputs), targets).item()
    assert Objective64(model, (inputs, targets)).loss() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("verify", [True, False])
def test_a_loss_that_is_no_scalar_is_refused(verify):
    loss = nn.CrossEntropyLoss(reduction="none")
    with pytest.raises(InputError, match=r"scalar.*got shape \(12,\)"):
        Objective64(mlp(), vectors(12), loss, verify=verify).loss()


def test_a_model_without_trainable_parameters_is_refused():
    with pytest.raises(InputError, match="Sequential has no trainable parameter"):
        Objective64(mlp().requires_grad_(False), vectors())
    with pytest.raises(InputError, match="Flatten has no trainable parameter"):
        Objective64(nn.Flatten(), vectors())


@pytest.mark.parametrize("form", ["batches", "pair"])
def test_scalar_targets_are_refused(form):
    inputs, _ = vectors()
    data = (inputs, torch.tensor(1)) if form == "pair" else [(inputs[0], torch.tensor(1))]
    with pytest.raises(InputError, match="batch dimension|scalar"):
        Objective64(mlp(), data)


EMPTY = {
    "tensors": lambda: (torch.zeros(0, 5), torch.zeros(0, dtype=torch.long)),
    "list": list,
    "generator": lambda: iter(()),
    "dataset": lambda: TensorDataset(torch.zeros(0, 5), torch.zeros(0, dtype=torch.long)),
    "empty batches": lambda: [(torch.zeros(0, 5), torch.zeros(0, dtype=torch.long))] * 2,
}


@pytest.mark.parametrize("form", EMPTY)
def test_empty_data_are_refused(form):
    with pytest.raises(InputError, match="no samples"):
        Objective64(mlp(), EMPTY[form]())


NO_DATA = {
    "a number": (3, "int"),
    "None": (None, "NoneType"),
    "a tensor": (torch.zeros(4, 5), "Tensor"),
    "a dict": ({"inputs": torch.zeros(4, 5)}, "dict"),
    "a text": ("digits", "pair"),
    "pairs of lists": ([([1.0, 2.0], [0, 1])], "float"),
    "samples": ([(torch.zeros(5), 1)], "int"),
    "triples": ([(torch.zeros(4, 5), torch.zeros(4), torch.zeros(4))], "tuple"),
}


@pytest.mark.parametrize("form", NO_DATA)
def test_what_is_no_data_is_refused(form):
    data, named = NO_DATA[form]
    with pytest.raises(InputError, match=named):
        Objective64(mlp(), data)


def test_inputs_and_targets_of_different_length_are_refused():
    with pytest.raises(InputError, match="4 inputs do not match 3 targets"):
        Objective64(mlp(), (torch.zeros(4, 5), torch.zeros(3, dtype=torch.long)))


def test_a_negative_batch_size_is_refused():
    with pytest.raises(InputError, match="got -1"):
        Objective64(mlp(), vectors(), batch_size=-1)


def test_a_model_that_keeps_a_graph_is_refused():
    model = mlp()
    model.kept = model(vectors()[0])
    with pytest.raises(InputError, match="Sequential can't be copied"):
        Objective64(model, vectors())


def test_an_unknown_device_is_refused():
    with pytest.raises(InputError, match="--device abacus is not usable"):
        Objective(mlp(), vectors(), device="abacus")
