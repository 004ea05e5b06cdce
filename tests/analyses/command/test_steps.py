"""Losses and data of any kind by the command: its numbers are those of dense derivatives."""

import pytest
import torch
from torch.nn import functional as F

from tests.analyses.command.words import SMALL
from tests.analyses.written import headline
from tests.oracles.by_rows import gradient_and_hessian

FILE = """
import torch
from torch import nn
from torch.nn import functional as F


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1))


def points(split):
    return torch.linspace(0, 3, 24)[:, None]


def residual(model, x):
    x = x.detach().requires_grad_()
    u = model(x)
    (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    return (slope + u).square().mean() + (model(x[:1]) - 1).square().mean()


class Graph(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x, edges):
        hidden = torch.tanh(self.first(x))
        return self.last(hidden.index_add(0, edges[1], hidden[edges[0]]))


def graph_network():
    torch.manual_seed(0)
    return Graph()


def graph(split):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(9, 3, generator=generator)
    edges = torch.randint(9, (2, 20), generator=generator)
    return {"x": x, "edges": edges, "y": torch.arange(9) % 2}


def of_nodes(model, batch):
    return F.cross_entropy(model(batch["x"], batch["edges"]), batch["y"])


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(7, 3), nn.Linear(3, 7)

    def forward(self, input_ids, labels):
        logits = self.head(torch.tanh(self.embedding(input_ids).cumsum(1)))
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return {"loss": loss, "logits": logits}


def words():
    torch.manual_seed(0)
    return Words()


def text(split):
    ids = torch.arange(60).reshape(12, 5) % 7
    labels = ids.masked_fill(torch.arange(5) >= torch.arange(12)[:, None] % 4 + 2, -100)
    return [
        {"input_ids": ids[k : k + 4], "labels": labels[k : k + 4]} for k in range(0, 12, 4)
    ]


def endless(split):
    generator = torch.Generator().manual_seed(0)
    while True:
        yield torch.randn(8, 1, generator=generator), torch.zeros(8, 1)


def squared(outputs, targets):
    return F.mse_loss(outputs, targets)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


@pytest.fixture
def names(file):
    """What the user's file defines."""
    defined = {}
    exec(compile(file.read_text(), file.name, "exec"), defined)  # noqa: S102
    return defined


def of_text(names, model):
    batches = names["text"]("train")
    ids, labels = (torch.cat([batch[key] for batch in batches]) for key in ("input_ids", "labels"))
    return model(ids, labels)["loss"]


def double(batch):
    return {
        key: value.double() if value.is_floating_point() else value for key, value in batch.items()
    }


CASES = {
    "a physics residual": (
        ("network", "points", "--step", "residual", "--batching", "whole"),
        lambda names, model: names["residual"](model, names["points"]("train").double()),
    ),
    "a graph": (
        ("graph_network", "graph", "--step", "of_nodes", "--batching", "whole"),
        lambda names, model: names["of_nodes"](model, double(names["graph"]("train"))),
    ),
    "padded text": (("words", "text"), of_text),
}


@pytest.mark.parametrize("name", CASES)
def test_surface_hessian_and_sparsity(done, name, file, names, tmp_path):
    (network, data, *flags), loss = CASES[name]
    flags = [f"{file}:{flag}" if flag in names else flag for flag in flags]
    model = names[network]()
    model = model.double()
    value, _, hessian = gradient_and_hessian(model, lambda model: loss(names, model))
    exact = torch.linalg.eigvalsh(hessian)
    exact = exact[exact.abs().argmax()].item()
    settings = {
        "surface": SMALL["surface"],
        "hessian": ("--quick", "--top", "1", "--tol", "1e-7"),
        "sparsity": (),
    }
    for analysis, words in settings.items():
        done(
            analysis, f"x={file}:{network}", "--data", f"{file}:{data}", *flags, *words,
            "--format", "none", "--output-dir", tmp_path / "figures",
        )  # fmt: skip
        said = headline(tmp_path / "figures", "x", analysis)
        if analysis == "surface":
            assert said["loss"] == pytest.approx(value.item(), rel=1e-6)
        if analysis == "hessian":
            assert said["loss"] == pytest.approx(value.item(), rel=1e-6)
            assert said["eigenvalues"][0] == pytest.approx(exact, rel=1e-5)
            error = 1e-5 * abs(exact) + 5 * said["second_difference_error"]
            assert abs(said["second_difference"] - exact) < error


def test_a_number_of_samples_stops_reading(done, file, names, tmp_path):
    words = ("line", f"x={file}:network", "--data", f"{file}:endless", *SMALL["line"])
    words += ("--loss", f"{file}:squared", "--format", "none", "--output-dir", tmp_path / "figures")
    done(*words, "--samples", "20")
    said = headline(tmp_path / "figures", "x", "line")
    stream = names["endless"]("train")
    inputs = torch.cat([next(stream)[0] for _ in range(3)])[:20]
    expected = F.mse_loss(names["network"]()(inputs), torch.zeros(20, 1)).item()
    assert said["loss"] == pytest.approx(expected, rel=1e-6)


MISTAKES = {
    "a loss, too": (("--loss", "mse", "--step", "mine.py:residual"), "either --loss or --step"),
    "no function": (("--step", "residual"), "--step has to be FILE.py:FUNCTION, got 'residual'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line(refused, mistake, file, tmp_path):
    flags, message = MISTAKES[mistake]
    err = refused(
        "line", f"x={file}:network", "--data", f"{file}:points", *flags,
        "--output-dir", tmp_path / "figures",
    )  # fmt: skip
    assert message in err
    assert not (tmp_path / "figures").exists()
