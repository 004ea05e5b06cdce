import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from landscape.errors import InputError
from landscape.parameters.layout import ParameterLayout, flatten
from tests.oracles.cases import CASES, TiedWeights

shapes = st.lists(st.lists(st.integers(1, 3), max_size=3), min_size=1, max_size=5)


def layout_of(*shapes):
    names = tuple(f"p{k}" for k in range(len(shapes)))
    return ParameterLayout(names, tuple(torch.Size(shape) for shape in shapes))


def test_names_and_shapes_are_the_models_own():
    layout = ParameterLayout.of(nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 4, False)))
    assert layout.names == ("0.weight", "0.bias", "2.weight")
    assert layout.shapes == ((2, 3), (2,), (4, 2))
    assert layout.size == 6 + 2 + 8


def test_frozen_parameters_are_left_out():
    model = nn.Linear(3, 2)
    model.weight.requires_grad_(False)
    assert ParameterLayout.of(model) == ParameterLayout(("bias",), (torch.Size([2]),), ("bias",))


def test_tied_parameters_count_once():
    layout = ParameterLayout.of(TiedWeights())
    assert layout.names == ("first.weight", "first.bias", "second.bias", "head.weight", "head.bias")
    assert layout.size == 25 + 5 + 5 + 15 + 3


def test_a_model_with_nothing_to_train_is_refused():
    with pytest.raises(InputError, match=r"Linear has no trainable.*requires_grad_\(True\)"):
        ParameterLayout.of(nn.Linear(2, 2).requires_grad_(False))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_views_are_the_parameters(case):
    model = case.model()
    layout = ParameterLayout.of(model)
    trainable = [p for p in model.parameters() if p.requires_grad]
    views = layout.views(flatten(trainable))
    assert len(views) == len(trainable) == len(layout.names)
    assert all(torch.equal(view, p) for view, p in zip(views, trainable, strict=True))


@settings(deadline=None, database=None)
@given(shapes=shapes)
def test_flatten_undoes_views(shapes):
    layout = layout_of(*shapes)
    vector = torch.arange(float(layout.size))
    views = layout.views(vector)
    assert [view.shape for view in views] == list(layout.shapes)
    assert torch.equal(layout.flatten(views), vector)


def test_views_share_memory():
    vector = torch.zeros(8)
    _, second = layout_of((2, 2), (4, 1)).views(vector)
    second[3, 0] = 7.0
    assert vector.tolist() == [0.0] * 7 + [7.0]


def test_views_of_a_column():
    """Eigenvectors come as the columns of a matrix."""
    matrix = torch.arange(16.0).view(8, 2)
    first, second = layout_of((2, 2), (4,)).views(matrix[:, 1])
    assert first.tolist() == [[1.0, 3.0], [5.0, 7.0]]
    assert second.tolist() == [9.0, 11.0, 13.0, 15.0]


@pytest.mark.parametrize("shape", [(7,), (9,), (8, 1), (2, 4), ()], ids=str)
def test_views_of_another_shape_are_refused(shape):
    with pytest.raises(InputError, match=r"a vector of 8 parameters, got shape \("):
        layout_of((2, 2), (4,)).views(torch.zeros(shape))


def test_tensors_that_do_not_fit_are_refused_by_name():
    layout = layout_of((2, 2), (4,))
    with pytest.raises(InputError, match=r"expected shape \(4,\) for p1, got \(2, 2\)"):
        layout.flatten([torch.zeros(2, 2), torch.zeros(2, 2)])
    with pytest.raises(InputError, match="expected 2 tensors, one for each parameter, got 1"):
        layout.flatten([torch.zeros(2, 2)])


def test_flatten_takes_tensors_in_any_memory_order():
    transposed = torch.arange(6.0).view(2, 3).T
    flat = flatten([transposed, torch.tensor(9.0)])
    assert flat.tolist() == [0.0, 3.0, 1.0, 4.0, 2.0, 5.0, 9.0]
