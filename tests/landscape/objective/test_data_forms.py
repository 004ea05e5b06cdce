import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from tests.landscape.objective.problems import Objective64, batches, close, mlp, vectors


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
    changes = [(other_inputs, targets), (inputs, other_targets), (inputs[:11], targets[:11])]
    changes.append((inputs.flip(0), targets.flip(0)))
    digests = [Objective64(model, data).sample_hash() for data in changes]
    assert len({digest, *digests}) == 5


def test_sample_hash_does_not_depend_on_the_batch_size():
    """Two runs on the same samples say so, whatever memory each had."""
    model, data = mlp(), vectors(12)
    digests = {Objective64(model, data, batch_size=size).sample_hash() for size in (3, 5, 12)}
    assert len(digests) == 1
