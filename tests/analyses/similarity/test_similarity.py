"""Similarity of layers and weights, and sharpness under rescaling."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from analyses import hessian, similarity
from analyses.run_context import RunContext
from analyses.similarity.measure import layer_grams
from analyses.similarity.result import MEASURES, Similarity, are_comparable, cka_map, layer_cka
from analyses.similarity.settings import Settings
from landscape.checkpoints.weights import weights_of
from landscape.errors import InputError, NotMeasurableError
from landscape.measures.cka import centred_gram, cka
from landscape.objective.objective import Objective
from tests.analyses.case_objectives import case_objective
from tests.analyses.problems import network, objective, samples
from tests.landscape.measures.test_symmetries import ours
from tests.oracles.cases import BY_NAME

SMALL = Settings(cka_samples=6, seed=3)


def test_features_of_blocks_are_those_that_hooks_see():
    problem, case = case_objective("vit"), BY_NAME["vit"]
    grams = layer_grams(problem, 6)
    assert list(grams) == ["block 1"]
    module, seen = case.model().double().eval(), []
    for block in module.blocks:
        block.register_forward_hook(lambda _m, _i, output: seen.append(output.flatten(1)))
    with torch.no_grad():
        module(case.data[0][:6].double())
    for gram, features in zip(grams.values(), seen, strict=True):
        np.testing.assert_allclose(gram, centred_gram(features.numpy()), rtol=1e-9, atol=1e-12)


def test_without_blocks_the_activations_are_compared():
    grams = layer_grams(objective(), 9)
    assert list(grams) == ["1", "3"]
    module, (inputs, _) = network(), samples()
    hidden = module[:2](inputs[:9]).detach().double().numpy()
    np.testing.assert_allclose(grams["1"], centred_gram(hidden), rtol=1e-4, atol=1e-6)


def test_batches_do_not_matter():
    small, large = (
        similarity.compute(case_objective("mixer", batch_size=size), SMALL) for size in (2, 100)
    )
    np.testing.assert_allclose(small.grams, large.grams, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(small.ratios[2:], large.ratios[2:], rtol=1e-6)


def test_weights_against_a_reference():
    problem = objective()
    theta = problem.theta.double().numpy()
    reference = weights_of(network(1), problem).theta
    result = similarity.compute(problem, SMALL, reference=reference)
    far = reference.double().numpy()
    expected = [
        theta @ far / np.linalg.norm(theta) / np.linalg.norm(far),
        np.linalg.norm(theta - far),
        np.linalg.norm(theta - far) / np.linalg.norm(far),
    ]
    assert result.components == ("whole network",)
    assert result.weights[0].tolist() == pytest.approx(expected, rel=1e-9)
    itself = similarity.compute(problem, SMALL, reference=problem.theta)
    assert itself.weights[0].tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert not similarity.compute(problem, SMALL).has_reference


def test_a_rescaling_changes_what_is_not_relative():
    problem = ours("vit", activation="relu")
    before = problem.weights_hash()
    result = similarity.compute(problem, Settings(cka_samples=6, rescale=3.0))
    assert problem.weights_hash() == before
    ratios = dict(zip(MEASURES, result.ratios, strict=True))
    assert ratios["‖|w| g‖"][0] == pytest.approx(1.0, rel=1e-9)
    # The packed biases of queries, keys and values are one filter, of which parts are rescaled. The
    # mean rise is near 0 here, so it is compared on the scale of its error.
    place = list(MEASURES).index("filter noise")
    change = result.after[place, 0] - result.before[place, 0]
    assert abs(change) < 0.02 * result.before[place, 1]
    for name in ("λ_max", "‖g‖"):
        assert abs(ratios[name][0] - 1) > 0.1
        assert ratios[name][1] < 0.05 * ratios[name][0]
    # Relative to before: the first row of the tables is the plain network's.
    gradient = torch.linalg.vector_norm(problem.gradient()).item()
    assert result.before[2].tolist() == pytest.approx([gradient, 0.0])


def test_the_eigenvalues_are_those_of_the_hessian():
    problem = ours("mixer")
    spectrum = hessian.compute(problem, hessian.Settings(top=1, probes=0, components="none"))
    result = similarity.compute(problem, SMALL)
    assert result.before[0, 0] == pytest.approx(spectrum.eigenvalues[0], rel=1e-2)
    known = similarity.compute(problem, SMALL, RunContext(known={"hessian": spectrum}))
    assert known.before[0, 0] == spectrum.eigenvalues[0]
    assert known.after[0, 0] == result.after[0, 0]


def test_results_of_one_sample_are_compared_from_their_files(tmp_path):
    results = []
    for seed in range(2):
        similarity.compute(objective(f"net {seed}", seed), SMALL).save(tmp_path / f"{seed}.h5")
        results.append(Similarity.load(tmp_path / f"{seed}.h5"))
    first, second = results
    assert are_comparable(first, second)
    result = cka_map(first, second)
    assert result.shape == (2, 2)
    inputs = samples()[0][:6]
    features = [network(seed)[:4](inputs).detach().double().numpy() for seed in range(2)]
    expected = cka(*map(centred_gram, features))
    assert layer_cka(first, second, -1, -1)[0] == pytest.approx(expected, rel=1e-3)
    assert result[1, 1] == layer_cka(first, second, -1, -1)[0]
    assert first.settings == SMALL
    assert first.symmetries == {"layers around a ReLU": 2}


def test_other_samples_are_not_compared():
    data = samples()
    first = similarity.compute(objective("first"), SMALL)
    moved = Objective(network(), (data[0] + 1, data[1]), device="cpu", origin={"label": "moved"})
    second = similarity.compute(moved, SMALL)
    assert not are_comparable(first, second)
    assert "similarity-networks" not in similarity.draw([first, second])
    rows = similarity.tabulate([first, second])["Layers (CKA ± jackknife error over samples)"]
    assert rows[1]["CKA of the last layer with that of first"] == "other samples"


def test_a_network_without_a_symmetry_has_no_ratios():
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    result = similarity.compute(Objective(model, samples(), device="cpu"), SMALL)
    assert result.symmetries == {}
    assert np.isnan(result.ratios).all()
    assert "similarity-invariance" not in similarity.draw([result])
    rows = list(similarity.tabulate([result]).values())[-1]
    assert rows[0]["rescaled"] == "no symmetry found"


def test_what_can_not_be_compared_is_refused():
    with pytest.raises(NotMeasurableError, match="neither blocks nor activation"):
        similarity.compute(Objective(nn.Linear(4, 3), samples(), device="cpu"))
    few = Objective(network(), tuple(tensor[:3] for tensor in samples()), device="cpu")
    with pytest.raises(NotMeasurableError, match="at least 4 samples"):
        similarity.compute(few)
    for wrong in ({"cka_samples": 3}, {"rescale": 1.0}, {"rescale": -1.0}, {"rescale": math.inf}):
        with pytest.raises(InputError, match="--"):
            Settings(**wrong)
