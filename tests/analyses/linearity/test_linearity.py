"""What lies between inputs, against plain loops and closed forms."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from analyses import linearity
from analyses.linearity.measure import draw_pairs
from analyses.linearity.result import Linearity
from analyses.linearity.settings import Settings
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from tests.oracles.cases import BY_NAME
from tests.profile import repeats

SMALL = Settings(segment=5, seed=3)


def objective_of(name, batch_size=3):
    case = BY_NAME[name]
    return Objective(
        case.model(), case.data, case.loss, batch_size=batch_size, device="cpu", dtype=torch.float64
    )


@pytest.mark.parametrize("name", ["vit", "mixer", "resnet with batch norm"])
def test_every_number_is_that_of_a_plain_loop(name):
    case, objective = BY_NAME[name], objective_of(name)
    result = linearity.compute(objective, SMALL)
    model = case.model().eval().double()
    inputs, targets = case.data[0].double(), case.data[1]
    for k, t in enumerate((0.0, 0.25, 0.5, 0.75, 1.0)):
        misses, losses, norms = [], [], []
        for i, j in result.pairs.tolist():
            x = ((1 - t) * inputs[i] + t * inputs[j]).unsqueeze(0).requires_grad_()
            logits = model(x)
            loss = (1 - t) * F.cross_entropy(logits, targets[[i]])
            loss = loss + t * F.cross_entropy(logits, targets[[j]])
            norms.append(torch.autograd.grad(loss, x)[0].norm().item())
            losses.append(loss.item())
            misses.append(logits.argmax().item() not in (targets[i].item(), targets[j].item()))
        assert result.t[k] == t
        assert result.missing[k] == np.mean(misses)
        assert result.loss[k] == pytest.approx(np.mean(losses), rel=1e-12)
        assert result.gradient_norm[k] == pytest.approx(np.mean(norms), rel=1e-10)
        expected = np.std(losses, ddof=1) / math.sqrt(len(losses))
        assert result.loss_stderr[k] == pytest.approx(expected, rel=1e-9)


def test_pairs_have_no_sample_in_common():
    pairs = draw_pairs(11, SMALL)
    assert pairs.shape == (5, 2)
    assert len(pairs.unique()) == 10
    assert torch.equal(pairs, draw_pairs(11, SMALL))
    assert not torch.equal(pairs, draw_pairs(11, Settings(seed=4)))
    assert len(draw_pairs(11, Settings(pairs=2))) == 2
    with pytest.raises(NotMeasurableError, match="11 samples make 5 pairs"):
        draw_pairs(11, Settings(pairs=6))


@settings(max_examples=repeats(10, 25), deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_linear_network_of_two_classes_never_misses_and_its_loss_sags(seed):
    generator = torch.Generator().manual_seed(seed)
    model = nn.Linear(3, 2).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    inputs = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    targets = torch.randint(2, (20,), generator=generator)
    result = linearity.compute(
        Objective(model, (inputs, targets), device="cpu", dtype=torch.float64), Settings(segment=9)
    )
    different = result.targets[:, 0] != result.targets[:, 1]
    missed = (result.predictions[:, None] != result.targets).all(1)
    assert not missed[different].any()
    if different.any():
        assert result.missing_rate_of(same_class=False).value == 0
    # Each class's loss is convex along a segment, so of one class the mixture's is, too.
    same = result.pairs[~different]
    if len(same):
        data = (inputs[same.reshape(-1)], targets[same.reshape(-1)])
        t = torch.linspace(0, 1, 9, dtype=torch.float64)
        x = data[0].view(-1, 2, 3)
        values = [
            F.cross_entropy(model(torch.lerp(x[:, 0], x[:, 1], s)), data[1].view(-1, 2)[:, 0])
            for s in t.tolist()
        ]
        assert np.diff([value.item() for value in values], 2).min() > -1e-12


def test_a_planted_missing_rate():
    # The middle of +1 and -1 is 0, where a third class has the largest output.
    class Three(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return self.gain * torch.cat([x, -x, 0.5 - x.abs()], dim=1)

    inputs = torch.tensor([[1.0], [-1.0]] * 10)
    targets = torch.tensor([0, 1] * 10)
    result = linearity.compute(Objective(Three(), (inputs, targets), device="cpu"), Settings())
    assert result.missing_rate_of(same_class=False).value == 1
    assert result.missing_rate_of(same_class=True).value == 0
    different = (result.targets[:, 0] != result.targets[:, 1]).mean()
    assert result.missing_rate.value == pytest.approx(different)
    assert result.missing[0] == result.missing[-1] == 0


def test_batches_do_not_matter():
    small, large = (linearity.compute(objective_of("vit", size), SMALL) for size in (3, 100))
    np.testing.assert_array_equal(small.missing, large.missing)
    np.testing.assert_allclose(small.gradient_norm, large.gradient_norm, rtol=1e-12)


def test_a_rate_of_0_has_an_error_and_the_table_its_interval():
    problem = Objective(nn.Linear(3, 1), (torch.randn(24, 3), torch.zeros(24, dtype=torch.int64)))
    result = linearity.compute(problem)
    assert result.missing_rate.value == 0
    np.testing.assert_allclose(result.missing_stderr, 1 / 12)
    wilson = stats.binomtest(0, 12).proportion_ci(0.95, method="wilson")
    assert result.headline()["missing_rate_interval"] == pytest.approx(tuple(wilson), abs=1e-12)
    (row,) = linearity.tabulate([result])[""]
    assert row["missing rate R, %"] == "0.00 (95 %: 0 to 24)"
    assert row["of pairs of two classes, %"] == "no pairs"


def test_save_and_load(tmp_path):
    result = linearity.compute(objective_of("mixer"), SMALL)
    result.save(tmp_path / "linearity.h5")
    again = Linearity.load(tmp_path / "linearity.h5")
    assert again.headline() == result.headline()
    assert again.settings == SMALL
    np.testing.assert_array_equal(again.gradient_norm, result.gradient_norm)


def test_what_can_not_be_mixed_is_refused():
    regression = Objective(nn.Linear(3, 1), (torch.randn(6, 3), torch.randn(6, 1)), F.mse_loss)
    with pytest.raises(NotMeasurableError, match="class numbers"):
        linearity.compute(regression)
    words = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(8, 3))
    tokens = Objective(words, (torch.randint(9, (6, 2)), torch.arange(6) % 3))
    with pytest.raises(NotMeasurableError, match="one tensor of floats"):
        linearity.compute(tokens)
    for wrong in (2, 4, 1):
        with pytest.raises(InputError, match="odd number from 3"):
            Settings(segment=wrong)
