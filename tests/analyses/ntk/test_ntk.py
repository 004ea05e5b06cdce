"""The condition number of the tangent kernel, at initialisation and at checkpoints."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from analyses import ntk
from analyses.ntk.result import TangentKernel
from analyses.ntk.settings import Settings
from landscape.errors import InputError, NotMeasurableError
from landscape.models.catalog import ModelSpec
from landscape.objective.objective import Objective
from tests.landscape.measures.test_tangent_kernel import dense
from tests.oracles.cases import BY_NAME

SIZES = {
    "vit": {"patch_size": 4, "dim": 8, "depth": 2, "heads": 2, "mlp_dim": 12},
    "mixer": {"patch_size": 4, "dim": 8, "depth": 2, "token_dim": 6, "channel_dim": 12},
    "resnet": {"layers": [1, 1], "width": 4, "block": "basic", "stem": "small"},
}
HERE = Settings(ntk_at="checkpoint", ntk_samples=4, ntk_outputs=2, ntk_seeds=2, seed=1)


def pictures(count=9):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 1, 8, 8, generator=generator), torch.arange(count) % 5


def spec_of(family):
    sizes = {**SIZES[family], "image_size": 8, "channels": 1, "num_classes": 5}
    return ModelSpec(family, sizes)


def objective_of(family):
    spec = spec_of(family)
    origin = {"model": spec.name, "model_args": spec.arguments, "label": family}
    with torch.random.fork_rng():
        torch.manual_seed(9)
        return Objective(spec.build(), pictures(), batch_size=4, device="cpu", origin=origin)


@pytest.mark.parametrize("name", ["vit", "mixer", "resnet with batch norm"])
def test_at_a_checkpoint_all_variants_are_those_of_the_dense_kernel(name):
    case = BY_NAME[name]
    objective = Objective(case.model(), case.data, batch_size=3, device="cpu", dtype=torch.float64)
    result = ntk.compute(objective, HERE)
    module = case.model().double().eval()
    for seed in range(2):
        chosen = torch.from_numpy(result.samples[seed])
        inputs = case.data[0][chosen].double()
        rows = dense(module, objective.batches[0].__class__(inputs, chosen, 4), result.outputs)
        kernel = (rows @ rows.T).numpy()
        values = np.linalg.eigvalsh(kernel)[::-1]
        np.testing.assert_allclose(result.full[seed], values, rtol=1e-8, atol=1e-10)
        blocks = kernel.reshape(4, 2, 4, 2)
        summed = blocks[:, 0, :, 0] + blocks[:, 1, :, 1]
        np.testing.assert_allclose(
            result.summed[seed], np.linalg.eigvalsh(summed)[::-1], rtol=1e-8, atol=1e-10
        )
        kappas = []
        for k in range(2):
            spectrum = np.linalg.eigvalsh(blocks[:, k, :, k])[::-1]
            np.testing.assert_allclose(result.logit[seed, k], spectrum, rtol=1e-8, atol=1e-10)
            kappas.append(spectrum[0] / spectrum[-1])
        assert result.kappas("full")[0][seed] == pytest.approx(values[0] / values[-1], rel=1e-6)
        assert result.kappas("logit")[0][seed] == pytest.approx(np.mean(kappas), rel=1e-6)
    assert not np.array_equal(result.samples[0], result.samples[1])
    mean, error, is_bound = result.kappa()
    values = result.kappas("full")[0]
    assert not is_bound
    assert mean == pytest.approx(math.sqrt(values[0] * values[1]), rel=1e-12)
    assert error == pytest.approx(mean * np.log(values).std(ddof=1) / math.sqrt(2))
    low, high = result.mean_kappa().interval(0.95)
    expected = stats.t.interval(0.95, 1, math.log(mean), error / mean)
    assert np.log([low, high]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("family", list(SIZES))
def test_at_initialisation_it_is_that_of_fresh_weights(family):
    objective = objective_of(family)
    before = objective.weights_hash()
    small = {"ntk_samples": 4, "ntk_outputs": 0, "ntk_seeds": 2, "seed": 5}
    settings = Settings(ntk_head="zero", ntk_bn="fixed", **small)
    result = ntk.compute(objective, settings)
    assert result.full.shape == (2, 20)
    assert np.array_equal(result.samples[0], result.samples[1])
    for seed in range(2):
        with torch.random.fork_rng():
            torch.manual_seed(5 + seed)
            module = spec_of(family).build().double().eval()
        inputs = pictures()[0][torch.from_numpy(result.samples[seed])].double()
        rows = dense(module, objective.batches[0].__class__(inputs, inputs, 4), result.outputs)
        values = np.linalg.eigvalsh((rows @ rows.T).numpy())[::-1]
        np.testing.assert_allclose(result.full[seed], values, rtol=1e-8, atol=1e-9 * values[0])
    assert objective.weights_hash() == before


@pytest.mark.parametrize("family", ["vit", "mixer"])
def test_a_zero_head_hides_all_other_layers(family):
    objective = objective_of(family)
    small = {"ntk_samples": 4, "ntk_outputs": 2, "ntk_seeds": 1, "seed": 5}
    zero, drawn = (
        ntk.compute(objective, Settings(ntk_head=head, **small)) for head in ("zero", "random")
    )
    # Then the outputs have one kernel, that of the features, and do not mix: pairs of eigenvalues.
    np.testing.assert_allclose(zero.full[0, ::2], zero.full[0, 1::2], rtol=1e-9)
    np.testing.assert_allclose(2 * zero.logit[0, 0], zero.summed[0], rtol=1e-9)
    assert abs(drawn.full[0, 0] / drawn.full[0, 1] - 1) > 1e-3
    assert math.isnan(zero.kappa()[1])


def test_in_python_a_function_makes_the_fresh_network():
    def make(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return nn.Sequential(nn.Flatten(), nn.Linear(64, 5))

    objective = Objective(make(0), pictures(), device="cpu")
    with pytest.raises(NotMeasurableError, match="pass initialise="):
        ntk.compute(objective)
    result = ntk.compute(objective, Settings(ntk_samples=3, ntk_outputs=1), initialise=make)
    inputs = pictures()[0][torch.from_numpy(result.samples[0])].flatten(1).double()
    values = torch.linalg.eigvalsh(inputs @ inputs.T + 1).flip(0)
    np.testing.assert_allclose(result.full[0], values.numpy(), rtol=1e-10)


def test_a_kernel_that_has_lost_its_rank_gives_a_lower_bound():
    inputs, targets = pictures(4)
    inputs[1] = inputs[0]
    objective = Objective(nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), (inputs, targets))
    result = ntk.compute(objective, Settings(ntk_at="checkpoint", ntk_seeds=2))
    assert result.kappa()[2]
    assert result.headline()["full"]["is_lower_bound"] is True
    assert ntk.tabulate([result])[""][0]["κ, full kernel"].startswith("> ")


def test_precision_and_seed():
    objective = objective_of("vit")
    double, single, again = (
        ntk.compute(objective, Settings(ntk_samples=4, ntk_precision=precision, seed=2))
        for precision in ("fp64", "fp32", "fp64")
    )
    np.testing.assert_allclose(single.full[:, 0], double.full[:, 0], rtol=1e-4)
    assert not np.array_equal(single.full, double.full)
    assert np.array_equal(again.full, double.full)


def test_save_and_load(tmp_path):
    result = ntk.compute(objective_of("mixer"), HERE)
    result.save(tmp_path / "ntk.h5")
    again = TangentKernel.load(tmp_path / "ntk.h5")
    assert again.headline().keys() == result.headline().keys()
    assert again.kappa("summed") == result.kappa("summed")
    assert again.settings == HERE


@pytest.mark.parametrize("wrong", [{"ntk_samples": 1}, {"ntk_outputs": -1}, {"ntk_seeds": 0}])
def test_what_makes_no_kernel_is_refused(wrong):
    with pytest.raises(InputError, match="--ntk"):
        Settings(**wrong)
