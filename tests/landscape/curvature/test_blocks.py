"""Components' eigenvalues are those of the dense diagonal blocks."""

from itertools import product

import numpy as np
import pytest
import torch

from landscape.curvature.blocks import block_eigenvalues
from landscape.curvature.operators import CurvatureOperator
from landscape.eigen import basis, krylov
from landscape.eigen.eigenpairs import WITH_ENDS
from landscape.eigen.lanczos import lanczos
from landscape.eigen.rayleigh_ritz import RitzSubspace
from landscape.objective.objective import Objective
from landscape.parameters.components import components
from landscape.parameters.groups import Group, groups_by_pattern, tensors_group
from tests.landscape.eigen.planted import by_magnitude, generator
from tests.oracles.cases import BY_NAME
from tests.profile import repeats, some

NETWORKS = ["resnet with batch norm", "mlp with an unused layer", "vit", "mixer"]


def operator_of(name, dtype=torch.float64, batch_size=3):
    case = BY_NAME[name]
    model = case.model().to(dtype)
    return CurvatureOperator(
        Objective(model, case.data, case.loss, batch_size=batch_size, device="cpu", dtype=dtype)
    )


def groups_of(operator):
    objective = operator.objective
    groups = components(objective.module, objective.layout)
    names = objective.layout.names
    first, last = objective.layout.stretches[0]
    return {
        **groups,
        "first tensor": tensors_group(objective.layout, [0]),
        "biases": groups_by_pattern(objective.layout, {"b": r"bias$"})["b"],
        "half a tensor": Group.of([(first, (first + last) // 2 + 1)]),
        "everything": tensors_group(objective.layout, range(len(names))),
    }


def check(case, groups, eigenpairs, rtol):
    dense = case.hessian().numpy()
    assert list(eigenpairs) == list(groups)
    for name, group in groups.items():
        rows = group.gather(torch.arange(len(dense))).numpy()
        block = dense[np.ix_(rows, rows)]
        expected = by_magnitude(np.linalg.eigvalsh(block))[0]
        pairs = eigenpairs[name]
        value, vector = pairs.eigenvalues[0].item(), pairs.vectors[:, 0].double().numpy()
        assert value == pytest.approx(expected, rel=rtol, abs=1e-12), name
        true = np.linalg.norm(block @ vector - value * vector)
        assert pairs.residuals[0].item() * abs(value) >= 0.99 * true - 1e-6 * abs(expected), name
        assert pairs.converged.all(), name


@pytest.mark.parametrize("name", NETWORKS[: repeats(2, 4)])
def test_they_are_those_of_the_dense_blocks(name):
    operator = operator_of(name)
    groups = groups_of(operator)
    eigenpairs = block_eigenvalues(operator, groups, generator(), tolerance=1e-8)
    check(BY_NAME[name], groups, eigenpairs, 1e-9)
    assert operator.counter.whole == 0
    assert operator.counter.blocks == sum(p.steps + 1 for p in eigenpairs.values())


@pytest.mark.parametrize("name", ["vit", "resnet with batch norm"][: repeats(1, 2)])
@pytest.mark.parametrize(
    ("dtype", "rtol"), [(torch.float32, 2e-3), (torch.float64, 1e-5)][: repeats(1, 2)]
)
@pytest.mark.parametrize("are_pairs_known", [True, False][: repeats(1, 2)])
def test_by_default_the_eigenvalue_is_far_closer_than_its_residual(
    name, dtype, rtol, are_pairs_known
):
    operator = operator_of(name, dtype)
    groups = groups_of(operator)
    pairs = lanczos(operator, 3, generator())
    subspace = RitzSubspace.of(pairs) if are_pairs_known else None
    eigenpairs = block_eigenvalues(operator, groups, generator(), subspace=subspace)
    check(BY_NAME[name], groups, eigenpairs, rtol)


def test_no_groups_no_products():
    operator = operator_of("mixer")
    assert block_eigenvalues(operator, {}, generator()) == {}
    assert operator.products == 0


def test_too_few_steps_are_owned_up_to():
    operator = operator_of("vit")
    groups = groups_of(operator)
    eigenpairs = block_eigenvalues(operator, groups, generator(), tolerance=1e-11, max_steps=2)
    assert all(pairs.steps == min(2, groups[name].size) for name, pairs in eigenpairs.items())
    assert not all(pairs.converged.all() for pairs in eigenpairs.values())


@pytest.mark.parametrize(("rows", "which"), some(product([14, 20], ["magnitude", WITH_ENDS]), 2))
def test_they_converge_by_restarts_where_memory_is_short(which, rows, monkeypatch):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(20, 30), torch.nn.Tanh(), torch.nn.Linear(30, 5))
    data = torch.randn(200, 20), torch.randint(5, (200,))
    operator = CurvatureOperator(Objective(model, data, device="cpu", dtype=torch.float64))
    monkeypatch.setattr(krylov, "affordable_rows", lambda *sizes: rows)
    group = Group.of([(0, 630)])
    pairs = block_eigenvalues(
        operator, {"first": group}, generator(), tolerance=1e-8, which=which, max_steps=200
    )["first"]
    identity = torch.eye(operator.size, dtype=torch.float64)[:, :630]
    values = torch.linalg.eigvalsh((operator @ identity)[:630])
    assert pairs.steps > rows
    assert pairs.converged[0]
    largest = pairs.eigenvalues.max().item()
    assert largest == pytest.approx(values.max().item(), rel=1e-8)


def test_the_bases_of_all_blocks_together_keep_to_the_share_of_memory(monkeypatch):
    operator = operator_of("vit")
    size = operator.size - 20
    groups = {f"{k}": Group.of([(k, size + k)]) for k in range(10)}
    rows = 13
    free = rows * 10 * 8 * size / basis.SHARE_OF_MEMORY
    monkeypatch.setattr(basis, "free_memory", lambda device: free + 1)
    bases = []

    class Watched(basis.Basis):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            bases.append(self)

    monkeypatch.setattr(krylov, "Basis", Watched)
    block_eigenvalues(operator, groups, generator(), tolerance=1e-9, max_steps=60)
    assert len(bases) == 10
    assert sum(each._rows.nbytes for each in bases) == pytest.approx(basis.SHARE_OF_MEMORY * free)
