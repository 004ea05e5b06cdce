"""What BatchNorm normalises by, and the kernel of the sum of logits, against dense Jacobians."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn

from analyses import ntk
from analyses.ntk.result import TangentKernel
from analyses.ntk.settings import Settings
from analyses.report.paper.quantities import ROWS
from landscape.data.catalog import load_data
from landscape.data.settings import DataSettings
from landscape.errors import NotMeasurableError
from landscape.models.catalog import resolve_model
from landscape.models.resnet import ResNet
from landscape.objective.objective import Objective
from tests.profile import repeats

SMALL = {"ntk_samples": 5, "ntk_outputs": 2, "ntk_seeds": 1, "seed": 3}


class ByHand(nn.Module):
    """BatchNorm written out: by the batch's own statistics, or by those of its first batch."""

    def __init__(self, norm, keep):
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        self.keep = keep
        self.kept = None

    def forward(self, x):
        center = x.mean((0, 2, 3), keepdim=True)
        spread = ((x - center) ** 2).mean((0, 2, 3), keepdim=True)
        if self.keep:
            if self.kept is None:
                count = x.numel() / x.shape[1]
                self.kept = center.detach(), spread.detach() * count / (count - 1)
                return self.scaled(x, center, spread)  # as in training
            center, spread = self.kept
        return self.scaled(x, center, spread)

    def scaled(self, x, center, spread):
        x = (x - center) / (spread + self.eps).sqrt()
        return x * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


def by_hand(module, keep):
    """The same network with every BatchNorm written out."""
    module = copy.deepcopy(module).double()
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, ByHand(child, keep))
    return module


def dense(module, inputs, statistics):
    """J of every sample and output, (n, K, P), row by row."""
    if statistics != "fixed":
        module = by_hand(module, keep=statistics == "reestimate")
        if statistics == "reestimate":
            module(inputs)
    module = module.double().eval()
    parameters = list(module.parameters())
    rows = []
    for n in range(len(inputs)):
        logits = module(inputs)[n] if statistics == "batch" else module(inputs[n : n + 1])[0]
        of_sample = []
        for logit in logits:
            gradients = torch.autograd.grad(logit, parameters, retain_graph=True)
            of_sample.append(torch.cat([gradient.flatten() for gradient in gradients]))
        rows.append(torch.stack(of_sample))
    return torch.stack(rows)


def make(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ResNet(
            layers=(1, 1), width=4, block="basic", stem="small", channels=1, num_classes=4
        )


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(9, 1, 8, 8, generator=generator), torch.arange(9) % 4


@pytest.mark.parametrize(
    ("word", "statistics"),
    [("auto", "reestimate"), ("reestimate", "reestimate"), ("batch", "batch"), ("fixed", "fixed")],
)
def test_a_fresh_network_is_that_of_the_dense_jacobian(data, word, statistics):
    objective = Objective(make(0), data, batch_size=4, device="cpu")
    result = ntk.compute(objective, Settings(ntk_bn=word, **SMALL), initialise=make)
    inputs = data[0][torch.from_numpy(result.samples[0])].double()
    rows = dense(make(3), inputs, statistics)
    chosen = rows[:, torch.from_numpy(result.outputs)]
    flat = chosen.flatten(0, 1)
    kernels = {
        "full": flat @ flat.T,
        "summed": sum(part @ part.T for part in chosen.unbind(1)),
        "logit_sum": rows.sum(1) @ rows.sum(1).T,  # of all logits, not only those drawn
    }
    for variant, kernel in kernels.items():
        expected = torch.linalg.eigvalsh(kernel).flip(0).numpy()
        actual = getattr(result, variant)[0]
        np.testing.assert_allclose(actual, expected, rtol=1e-8, atol=1e-10 * expected[0])
    assert result.statistics == result.headline()["batch_norm"] == statistics


def test_a_trained_network_keeps_its_statistics(data):
    model = make(0)
    with torch.no_grad():
        model.train()(data[0])
    model.eval()
    state = copy.deepcopy(model.state_dict())
    objective = Objective(model, data, batch_size=4, device="cpu")
    result = ntk.compute(objective, Settings(ntk_at="checkpoint", **SMALL))
    rows = dense(model, data[0][torch.from_numpy(result.samples[0])].double(), "fixed")
    flat = rows[:, torch.from_numpy(result.outputs)].flatten(0, 1)
    expected = torch.linalg.eigvalsh(flat @ flat.T).flip(0).numpy()
    np.testing.assert_allclose(result.full[0], expected, rtol=1e-8, atol=1e-10 * expected[0])
    assert result.statistics == "fixed"
    for word in ("reestimate", "batch"):
        other = ntk.compute(objective, Settings(ntk_at="checkpoint", ntk_bn=word, **SMALL))
        assert not np.allclose(other.full, result.full, rtol=1e-3)
    for key, value in objective.module.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_resnet_tiny_on_digits():
    """With He's initialisation kappa is about 216, with batch statistics 80, unnormalised 2,354."""
    samples = load_data(DataSettings(data="digits"), "train")
    pictures = samples.fetch(torch.arange(256)), samples.targets[:256]
    facts = {"image_size": 8, "channels": 1, "num_classes": 10}

    def he(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = resolve_model("resnet-tiny", {}, facts, fit_to_data=True).build()
            for module in model.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out")
                elif isinstance(module, nn.Linear):
                    module.reset_parameters()
            return model

    def kappa(statistics):
        objective = Objective(he(0), pictures, batch_size=256, device="cpu")
        settings = Settings(ntk_bn=statistics, ntk_seeds=repeats(1, 3))
        return ntk.compute(objective, settings, initialise=he).kappa()[0]

    assert 170 < kappa("auto") < 260
    if repeats(0, 1):  # these take seconds
        assert 1500 < kappa("fixed") < 3200
        assert 60 < kappa("batch") < 100


def test_without_batch_norm_all_settings_are_alike(data):
    def plain(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.Tanh(), nn.Linear(6, 4))

    objective = Objective(plain(0), data, device="cpu")
    results = [
        ntk.compute(objective, Settings(ntk_bn=word, **SMALL), initialise=plain)
        for word in ("reestimate", "batch", "fixed")
    ]
    assert {result.statistics for result in results} == {"none"}
    for result in results:
        np.testing.assert_array_equal(result.full, results[0].full)
    assert ntk.tabulate(results[:1])[""][0]["BatchNorm by"] == "–"


def test_the_setting_chooses_the_kappa_of_json_and_tables(data, tmp_path):
    objective = Objective(make(0), data, batch_size=4, device="cpu")
    settings = Settings(ntk_reduction="logit_sum", ntk_bn="batch", **SMALL)
    result = ntk.compute(objective, settings, initialise=make)
    spectrum = result.logit_sum[0]
    assert result.kappa()[0] == pytest.approx(spectrum[0] / spectrum[-1])
    result.write_json(tmp_path / "ntk.json")
    written = json.loads((tmp_path / "ntk.json").read_text())
    assert written["kappa"] == written["logit_sum"]["condition_number"] == result.kappa()[0]
    assert (written["kappa_of"], written["batch_norm"]) == ("logit_sum", "batch")
    quantity = ROWS["kappa"].read(result)
    assert quantity.value == result.kappa()[0]
    assert quantity.method == (
        "kernel of the sum of the logits at initialisation, 5 samples; BatchNorm by the batch; "
        "one seed"
    )


def test_too_few_samples_for_a_batch(data):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4))
    objective = Objective(model, (data[0][:1], data[1][:1]), device="cpu")
    for word in ("reestimate", "batch"):
        with pytest.raises(NotMeasurableError, match=f"^--ntk-bn {word}: .* take more samples$"):
            ntk.compute(objective, Settings(ntk_at="checkpoint", ntk_bn=word, **SMALL))


def test_a_file_of_an_earlier_version_is_of_stored_statistics(data):
    objective = Objective(make(0), data, batch_size=4, device="cpu")
    result = ntk.compute(objective, Settings(**SMALL), initialise=make)
    arrays = {name: np.asarray(array.values) for name, array in result.arrays().items()}
    del arrays["statistics"], arrays["logit_sum"]
    old = TangentKernel.from_arrays(arrays, "old", result.settings, result.provenance)
    assert (old.statistics, old.settings.ntk_bn) == ("fixed", "fixed")
    assert np.isnan(old.kappa("logit_sum")[0])
    assert old.kappa()[0] == result.kappa()[0]
    assert ntk.draw([old])
