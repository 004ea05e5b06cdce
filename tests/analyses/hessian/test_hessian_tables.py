"""The Hessian-spectrum report: components, tables, pictures, Markdown, and what the files hold."""

import json
import math
from dataclasses import replace
from functools import cache

import h5py
import numpy as np
import pytest
import torch

from analyses import hessian
from analyses.drawing.pictures import Picture
from analyses.drawing.style import styled
from analyses.hessian.result import Spectrum
from analyses.hessian.settings import Settings
from analyses.hessian.tables import HELD_OUT
from analyses.report.page import write_markdown, write_numbers
from landscape.curvature.stability import gradient_descent_edge, sam_edge
from landscape.objective.objective import Objective
from landscape.parameters.layout import ParameterLayout
from landscape.runtime.visible_text import for_markdown
from tests.analyses.case_objectives import case_objective
from tests.analyses.pictures import coloured
from tests.landscape.eigen.planted import by_magnitude
from tests.oracles.cases import BY_NAME
from tests.profile import some

SMALL = Settings(top=4, probes=3, density_steps=12, save_vectors=True, group=("biases=bias$",))


@cache
def measured(name, settings=SMALL):
    return hessian.compute(case_objective(name, origin={"label": "a"}), settings)


@pytest.fixture(scope="module")
def pair():
    training = {"opt": "sgd", "rho": 0.05, "lr": 0.1, "momentum": 0.0, "epochs": 2}
    mixer = measured("mixer")
    origin = {**mixer.provenance.origin, "label": "b|c", "training": training}
    provenance = replace(mixer.provenance, origin=origin)
    return [measured("vit"), replace(mixer, label="b|c", provenance=provenance)]


@pytest.mark.parametrize("name", some(["vit", "mixer", "resnet with batch norm"], 2))
def test_components_are_those_of_the_dense_blocks(name):
    components = measured(name).components
    case = BY_NAME[name]
    dense, layout = case.hessian().numpy(), ParameterLayout.of(case.model())
    rows = np.concatenate(
        [
            np.arange(*stretch)
            for parameter, stretch in zip(layout.names, layout.stretches, strict=True)
            if parameter.endswith("bias")
        ]
    )
    block = dense[np.ix_(rows, rows)]
    position = components.names.index("biases")
    assert components.sizes[position] == len(rows)
    truth = np.linalg.eigvalsh(block)
    assert components.largest.values[position] == pytest.approx(truth[-1], rel=1e-6)
    assert components.largest.converged.all()
    smallest = components.smallest
    bound = smallest.residuals[position] * abs(smallest.values[position])
    assert truth[0] - 1e-12 <= smallest.values[position]
    assert np.abs(truth - smallest.values[position]).min() <= bound + 1e-12
    assert "block 1" in components.names or "norms" in components.names


def test_without_components_there_are_none():
    spectrum = measured("vit", Settings(top=4, quick=True))
    assert spectrum.components.names == ()
    assert spectrum.block_products == 0
    assert not any("component" in caption for caption in hessian.tabulate([spectrum]))
    assert "hessian-components" not in hessian.draw([spectrum])


def test_a_result_comes_back_from_its_file(pair, tmp_path):
    for spectrum in pair:
        spectrum.save(tmp_path / "x.h5")
        again = Spectrum.load(tmp_path / "x.h5")
        assert again.components.names == spectrum.components.names
        for end in ("largest", "smallest"):
            ends = (getattr(each.components, end).values for each in (again, spectrum))
            np.testing.assert_array_equal(*ends)
        np.testing.assert_array_equal(again.vectors, spectrum.vectors)
        assert again.trace == spectrum.trace
        assert again.settings == spectrum.settings
        assert again.headline() is not None
        assert hessian.tabulate([again]) == hessian.tabulate([spectrum])


def test_eigenvectors_are_kept_on_request(pair, tmp_path):
    first = pair[0]
    dense = BY_NAME["vit"].hessian().numpy()
    for value, vector in zip(first.eigenvalues, first.vectors, strict=True):
        assert np.linalg.norm(dense @ vector - value * vector) < 1e-5 * abs(value)
    bare = measured("vit", Settings(top=4, quick=True))
    bare.save(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5") as file:
        assert "eigenvectors" not in file
    assert Spectrum.load(tmp_path / "x.h5").vectors.size == 0


def test_the_context(pair):
    first = pair[0]
    gradient = BY_NAME["vit"].gradient().numpy()
    cosine = abs(gradient @ first.vectors[0]) / np.linalg.norm(gradient)
    assert first.cosine == pytest.approx(cosine, rel=1e-5)
    assert first.edges == {}
    second = pair[1]
    assert second.edges["edge"] == pytest.approx(20)
    assert second.edges["sam_edge"] == sam_edge(0.1, 0.05, second.gradient_norm)
    shown = hessian.tabulate(pair)["Sharpness in context"]
    assert shown[0]["λ_max / edge of stability"] == "–"
    ratio = second.ends.values[0] / 20
    assert float(shown[1]["λ_max / edge of stability"]) == pytest.approx(ratio, rel=1e-2)


def test_edges_of_stability():
    assert gradient_descent_edge(0.01) == 200
    assert gradient_descent_edge(0.01, 0.9) == 380
    assert sam_edge(0.01, 0.0, 3.0) == 200
    # It solves eta lambda (1 + rho lambda / ||g||) = 2.
    edge = sam_edge(0.01, 0.1, 0.5)
    assert 0.01 * edge * (1 + 0.1 * edge / 0.5) == pytest.approx(2)
    edge = sam_edge(0.01, 0.1, 0.5, 0.9)
    assert 0.01 * edge * (1 + 0.1 * edge / 0.5) == pytest.approx(3.8)
    assert sam_edge(0.01, 0.0, 3.0, 0.9) == 380
    assert sam_edge(0.01, 0.1, 0.0) == 0


@pytest.mark.parametrize(("settings", "shift"), [({"l2": 0.25}, 0.25), ({"which": "ends"}, 0.0)])
def test_an_l2_term_and_both_ends(settings, shift):
    spectrum = measured("mixer", replace(SMALL, **settings))
    values = np.linalg.eigvalsh(BY_NAME["mixer"].hessian()) + shift
    if shift:
        expected = by_magnitude(values)[:4]
        penalty = (
            0.5
            * shift
            * sum(p.square().sum().item() for p in BY_NAME["mixer"].model().parameters())
        )
        plain = measured("mixer").loss
        assert spectrum.loss == pytest.approx(plain + penalty)
    else:
        expected = by_magnitude([*values[:4], *values[-4:]])
    np.testing.assert_allclose(spectrum.eigenvalues, expected, rtol=1e-5, atol=1e-6)
    assert spectrum.converged.all()


@pytest.mark.parametrize("matrix", ["ggn", "fisher"])
def test_other_matrices_are_never_negative(matrix):
    spectrum = measured("vit", replace(SMALL, matrix=matrix))
    assert (spectrum.eigenvalues > 0).all()
    assert spectrum.converged.all()
    assert spectrum.quadrature.negative_share[0] < 1e-9


def test_the_sampling_error_is_that_of_the_first_eigenvalue():
    # Of independent samples the error of a mean of n is sqrt(n) times that of one.
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1, bias=False)
    inputs = torch.randn(4000, 3) * torch.tensor([3.0, 1.0, 0.3])
    objective = Objective(
        model, (inputs, torch.zeros(4000, 1)), torch.nn.functional.mse_loss, device="cpu"
    )
    spectrum = hessian.compute(objective, Settings(top=1, probes=0))
    # H = 2 x x', and the first eigenvector is nearly the first axis: the error of 2 mean x_1^2.
    expected = 2 * inputs[:, 0].square().std().item() / math.sqrt(4000)
    assert spectrum.sampling_errors[0] == pytest.approx(expected, rel=0.5)
    single = Objective(model, (inputs[:1], torch.zeros(1, 1)), torch.nn.functional.mse_loss)
    assert math.isnan(hessian.compute(single, Settings(top=1, probes=0)).sampling_errors[0])


# ------------------------------------------------------------------------------------ the report


def test_the_table_of_components_is_that_of_the_paper(pair):
    rows = hessian.tabulate(pair)[
        "Largest eigenvalue of each component, ± sampling error (relative residual)"
    ]
    assert [row["component"] for row in rows][-1] == "whole network"
    by_name = {row["component"]: row for row in rows}
    assert by_name["attention"]["b|c"] == "–"
    assert by_name["token mixing"]["a"] == "–"
    position = pair[0].components.names.index("embedding")
    assert by_name["embedding"]["a"].value == pair[0].components.largest.values[position]


def test_a_component_that_did_not_converge_is_said_so(pair):
    largest = pair[0].components.largest
    poor = replace(
        largest,
        residuals=np.full_like(largest.residuals, np.inf),
        converged=np.zeros_like(largest.converged),
    )
    components = replace(pair[0].components, largest=poor)
    spectrum = replace(pair[0], components=components)
    rows = hessian.tabulate([spectrum])[
        "Largest eigenvalue of each component, ± sampling error (relative residual)"
    ]
    assert all("not converged: λ is at least this" in row["a"] for row in rows[:-1])
    assert min(coloured(hessian.draw([spectrum])["hessian-components"]).values()) > 20


def test_all_pictures_are_drawn(pair):
    with styled():
        pages = hessian.draw(pair)
    assert list(pages) == ["hessian", "hessian-tails", "hessian-linear", "hessian-components"]
    assert set(pages) < set(hessian.ANALYSIS.reading)
    for page in pages.values():
        assert min(coloured(page).values()) > 20


def test_the_markdown_page(pair, tmp_path):
    with styled():
        figures = {"hessian": {k: Picture(page) for k, page in hessian.draw(pair).items()}}
    path = write_markdown({"hessian": pair}, figures, tmp_path / "hessian.md")
    text = path.read_text()
    for reading in hessian.ANALYSIS.reading.values():
        assert for_markdown(reading) in text
    for name in figures["hessian"]:
        assert f"![{name}]({name}.png)" in text
    tables = [block for block in text.split("\n\n") if block.startswith("| ")]
    assert len(tables) == 7
    for table in tables:
        widths = {line.replace("\\|", "").count("|") for line in table.strip().split("\n")}
        assert len(widths) == 1, table


def test_the_numbers_side_by_side(pair, tmp_path):
    path = write_numbers({"hessian": pair, "sparsity": []}, tmp_path / "hessian.json")
    content = json.loads(path.read_text())
    assert list(content) == ["hessian"]
    assert list(content["hessian"]) == ["a", "b|c"]
    assert content["hessian"]["a"]["eigenvalues"] == pair[0].eigenvalues.tolist()
    assert content["hessian"]["a"]["components"]["embedding"]["converged"] is True


@pytest.mark.parametrize(("of_half", "of_whole"), [(True, True), (True, False), (False, True)])
def test_numbers_of_halves_say_what_has_not_converged(of_half, of_whole):
    spectrum = measured("vit", Settings(top=1, quick=True, held_out=True))
    halves = replace(spectrum.held_out, converged=np.array([True, of_half]))
    ends = replace(spectrum.ends, converged=np.array([of_whole, True]))
    (row,) = hessian.tabulate([replace(spectrum, held_out=halves, ends=ends)])[HELD_OUT]
    marked = {name for name, text in row.items() if "not converged" in text}
    of_halves = {"held out (biased downwards)", "mean of the halves' λ_max"}
    expected = set() if of_half else of_halves
    if not (of_half and of_whole):
        expected = expected | {"extrapolated to all"}
    assert marked - {"λ_max of the sample (biased upwards)"} == expected
