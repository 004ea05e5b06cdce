"""Fast products are the products of the dense Hessian, whatever is kept."""

import copy
import gc
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.curvature import products as module
from landscape.curvature.products import LocalProducts
from landscape.curvature.requests import ProductRequest
from landscape.data.batches import Batch
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective
from tests.oracles.cases import BY_NAME, CASES
from tests.profile import IS_FULL, repeats

SOME_CASES = CASES if IS_FULL else CASES[::2]
every_case = pytest.mark.parametrize("case", SOME_CASES, ids=lambda case: case.name)
LIMITS = {"everything": 1 << 40, "nothing": 0}


def objective_of(case, batch_size=3, dtype=torch.float64):
    return Objective(
        case.model(), case.data, case.loss, batch_size=batch_size, device="cpu", dtype=dtype
    )


def times(products, vectors):
    (product,) = products([ProductRequest(vectors)])
    return product


def vectors_for(objective, count=3):
    generator = torch.Generator().manual_seed(0)
    shape = objective.num_parameters, count
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(objective.dtype)


@every_case
@pytest.mark.parametrize("kept", LIMITS)
@pytest.mark.parametrize("batch_size", [3, 1, 7][: repeats(1, 3)])
def test_they_are_those_of_the_dense_hessian(case, kept, batch_size):
    objective = objective_of(case, batch_size)
    multiply = LocalProducts(objective, budget=LIMITS[kept])
    vectors = vectors_for(objective)
    expected = case.hessian() @ vectors
    scale = float(expected.abs().max())
    for _ in range(2):  # the second uses what the first has kept
        product = times(multiply, vectors)
        torch.testing.assert_close(product, expected, rtol=0, atol=1e-11 * scale)
    alone = times(multiply, vectors[:, 1:2])
    torch.testing.assert_close(alone, product[:, 1:2], rtol=0, atol=1e-14 * scale)
    assert multiply.num_kept == (len(objective.batches) if kept == "everything" else 0)


@every_case
def test_single_precision(case):
    objective = objective_of(case, dtype=torch.float32)
    vectors = vectors_for(objective)
    expected = case.hessian() @ vectors.double()
    product = times(LocalProducts(objective), vectors).double()
    torch.testing.assert_close(product, expected, rtol=0, atol=2e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("kept", LIMITS)
def test_at_another_theta_with_the_weights_put_back(kept):
    case = BY_NAME["resnet with batch norm"]
    objective = objective_of(case)
    moved = copy.deepcopy(case.model())
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter.mul_(1.1)
    there = Objective(moved, case.data, case.loss, device="cpu", dtype=torch.float64)
    vectors = vectors_for(objective)
    multiply = LocalProducts(objective, there.theta, budget=LIMITS[kept])
    before = objective.loss()
    for _ in range(2):
        torch.testing.assert_close(times(multiply, vectors), there.hessian_product(vectors))
        assert objective.loss() == before
        assert torch.equal(objective.live_weights, objective.theta)


def test_graphs_are_kept_as_far_as_the_budget_goes():
    objective = objective_of(BY_NAME["vit"], 1)
    probe = LocalProducts(objective)
    with objective.second_derivatives():
        probe._choose()
        each = probe._graph_bytes(objective.batches[0])
    assert each > 10 * objective.batches[0].inputs.nbytes
    multiply = LocalProducts(objective, budget=3 * each + each // 2)
    vectors = vectors_for(objective)
    torch.testing.assert_close(times(multiply, vectors), objective.hessian_product(vectors))
    assert multiply.num_kept == 3


def test_graphs_go_with_the_products():
    objective = objective_of(BY_NAME["resnet with batch norm"])
    multiply = LocalProducts(objective)
    times(multiply, vectors_for(objective))
    gc.collect()
    gone = [weakref.ref(graph._pieces[0]) for graph in multiply._graphs.values()]
    gc.disable()
    try:
        del multiply
        assert gone
        assert all(reference() is None for reference in gone)
    finally:
        gc.enable()


class Trace:
    """Lives as long as the graph that holds it."""


class Exponential(torch.autograd.Function):
    """An operation that saves its own result."""

    traces: list["weakref.ref[Trace]"] = []

    @staticmethod
    def forward(ctx, x):
        result = x.exp()
        ctx.save_for_backward(result)
        ctx.trace = Trace()
        Exponential.traces.append(weakref.ref(ctx.trace))
        return result

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0]


def test_no_graph_stays_after_its_bytes_were_counted(monkeypatch):
    class Network(nn.Linear):
        def forward(self, x):
            return Exponential.apply(super().forward(x))

    data = torch.randn(4, 3), torch.tensor([0, 1, 1, 0])
    objective = Objective(Network(3, 2), data, device="cpu")
    multiply = LocalProducts(objective)
    times(multiply, vectors_for(objective))
    monkeypatch.setattr(Exponential, "traces", [])
    gc.disable()
    try:
        with objective.second_derivatives():
            assert multiply._graph_bytes(objective.batches[0]) > 0
        assert Exponential.traces
        assert all(trace() is None for trace in Exponential.traces)
    finally:
        gc.enable()


@pytest.mark.parametrize("how", ["raises", "differs"])
def test_a_form_that_does_not_agree_is_not_used(how, monkeypatch):
    case = BY_NAME["resnet with batch norm"]
    objective = objective_of(case)

    class Wrong(nn.Module):
        def forward(self, x):
            if how == "raises":
                raise RuntimeError("an operation that will not have it")
            return objective.module(x) * 1.001

    monkeypatch.setattr(module, "fold_batch_norms", lambda model: Wrong())
    vectors = vectors_for(objective)
    multiply = LocalProducts(objective)
    assert torch.equal(times(multiply, vectors), objective.hessian_product(vectors))


def test_a_loss_that_is_linear_in_theta():
    model, data = nn.Linear(3, 1), (torch.randn(4, 3), torch.zeros(4))
    objective = Objective(model, data, lambda out, _: out.mean(), device="cpu")
    vectors = vectors_for(objective)
    multiply = LocalProducts(objective)
    assert not times(multiply, vectors).any()
    assert not times(multiply, vectors).any()


def test_dict_inputs_and_in_place_activations():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten()
            )
            self.head = nn.Linear(16, 3)

        def forward(self, image):
            return self.head(self.layers(image))

    torch.manual_seed(0)
    inputs, targets = {"image": torch.randn(6, 3, 4, 4)}, torch.randint(3, (6,))
    objective = Objective(Named(), [(inputs, targets)], F.cross_entropy, device="cpu")
    assert isinstance(objective.batches[0], Batch)
    vectors = vectors_for(objective)
    multiply = LocalProducts(objective)
    torch.testing.assert_close(times(multiply, vectors), objective.hessian_product(vectors))
    assert multiply._is_fast


# ------------------------------------------------------------------------------ out of memory


class Limited(nn.Module):
    """Refuses more than ``limit`` samples at once, as a full device does."""

    def __init__(self, model, limit):
        super().__init__()
        self.model, self.limit = model, limit

    def forward(self, x):
        if len(x) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")
        return self.model(x)


@pytest.mark.parametrize("exact", [False, True])
def test_where_memory_runs_out_it_continues_with_less(exact, caplog):
    caplog.set_level("INFO")
    case = BY_NAME["mixer"]
    objective = objective_of(case, 6)
    vectors = vectors_for(objective)
    products = LocalProducts(objective)
    objective.module = Limited(objective.module, 2)
    (product,) = products([ProductRequest(vectors)], exact=exact)
    expected = case.hessian() @ vectors
    scale = float(expected.abs().max())
    torch.testing.assert_close(product, expected, rtol=0, atol=1e-11 * scale)
    assert "out of memory: continuing with batches of" in caplog.text


def test_kept_graphs_are_given_up_first(caplog):
    caplog.set_level("INFO")
    case = BY_NAME["mixer"]
    objective = objective_of(case, 3)
    vectors = vectors_for(objective)
    products = LocalProducts(objective)
    expected = times(products, vectors)
    assert products.num_kept
    refusals = [RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")]
    multiply = products._multiply

    def once(requests, exact):
        if refusals:
            raise refusals.pop()
        return multiply(requests, exact)

    products._multiply = once
    torch.testing.assert_close(times(products, vectors), expected, rtol=0, atol=1e-11)
    assert products.num_kept == 0
    assert "continuing without kept graphs" in caplog.text


def test_a_single_sample_that_is_too_much_is_said_so():
    objective = objective_of(BY_NAME["mixer"])
    products = LocalProducts(objective)
    objective.module = Limited(objective.module, 0)
    with pytest.raises(
        NotMeasurableError, match="not enough memory for the product with the smallest"
    ):
        times(products, vectors_for(objective))


def test_other_errors_are_passed_on():
    objective = objective_of(BY_NAME["mixer"])
    products = LocalProducts(objective)

    def fail(*_):
        raise RuntimeError("something else")

    objective.module.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="something else"):
        times(products, vectors_for(objective))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_in_half_precision_are_refused(dtype):
    data = torch.randn(4, 3), torch.tensor([0, 1, 1, 0])
    objective = Objective(nn.Linear(3, 2), data, device="cpu", dtype=dtype, verify=False)
    with pytest.raises(NotMeasurableError, match="curvature takes weights in float32 or float64"):
        LocalProducts(objective)


def test_no_graph_is_weighed_where_none_is_kept(monkeypatch):
    objective = objective_of(BY_NAME["vit"], 1)
    monkeypatch.delattr(LocalProducts, "_graph_bytes")
    multiply = LocalProducts(objective, budget=0)
    vectors = vectors_for(objective)
    torch.testing.assert_close(times(multiply, vectors), objective.hessian_product(vectors))
