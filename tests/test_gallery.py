"""The networks that come with the repository, and the results that are stored of them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.paper.gallery import CHECKPOINTS, MOST_BYTES, RESULTS
from benchmarks.paper.plan import FULL, RELEASED
from landscape import Objective
from landscape.checkpoints.load import load_checkpoint
from landscape.data.catalog import load_data
from landscape.data.samples import choose
from landscape.data.settings import DataSettings
from landscape.results.files import sha256
from landscape.results.hdf5.read import read_outline
from landscape.results.result import FORMAT
from tests.profile import long_test, some

ROOT = Path(__file__).parents[1]
NETWORKS, STORED = ROOT / CHECKPOINTS, ROOT / RESULTS


def headline(label, analysis):
    return json.loads((STORED / label / f"{analysis}.json").read_text())


def test_hashes_and_size():
    sums = dict(
        reversed(line.split("  ")) for line in (NETWORKS / "SHA256SUMS").read_text().splitlines()
    )
    files = sorted(NETWORKS.rglob("*.safetensors"))
    assert {str(file.relative_to(NETWORKS)): sha256(file) for file in files} == sums
    assert [file.parent.name for file in files] == sorted(RELEASED)
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES


@pytest.mark.parametrize("label", RELEASED)
def test_the_results_are_of_these_weights(label):
    checkpoint = load_checkpoint(NETWORKS / label)
    shape = (2, 3, 32, 32)
    objective = Objective(checkpoint.model, (torch.zeros(shape), torch.zeros(2, dtype=torch.long)))
    expected = objective.provenance(0.0).weights_sha256
    results = sorted(file.stem for file in (STORED / label).glob("*.json"))
    assert {"surface", "hessian", "sparsity", "robustness"} <= set(results)
    for analysis in set(results) - {"ntk", "curves"}:  # of initial networks, of a log
        assert headline(label, analysis)["provenance"]["weights_sha256"] == expected, analysis


def test_no_photograph_is_in_a_result():
    assert not list(STORED.rglob("attention.*"))


def test_the_results_are_sealed_files_of_the_current_format():
    outlines = [read_outline(path) for path in sorted(STORED.rglob("*.h5"))]
    assert {(outline.attributes["format"], outline.is_sealed) for outline in outlines} == {
        (FORMAT, True)
    }


@pytest.mark.parametrize("label", some(RELEASED, 2))
def test_the_results_open_in_xarray(label):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    for path in sorted((STORED / label).glob("*.h5")):
        with xarray.open_datatree(path, engine="h5netcdf") as tree:
            datasets = [node.dataset for node in tree.subtree]
            dimensions = [str(name) for dataset in datasets for name in dataset.dims]
            units = {
                variable.attrs.get("units")
                for dataset in datasets
                for variable in dataset.variables.values()
            }
        assert dimensions, path
        assert not [name for name in dimensions if name.startswith("phony_dim")], path
        assert units - {None}, path
    with xarray.open_dataset(STORED / label / "surface.h5", engine="h5netcdf") as plane:
        loss = plane["train_loss"]
        assert (loss.dims, loss.attrs["units"]) == (("y", "x"), "nats")
        centre = loss.sel(x=0.0, y=0.0).item()
    assert centre == headline(label, "surface")["loss"]


@long_test
def test_the_loss_is_measured_again(shared_data, tmp_path):
    """On the photographs that the networks were trained with: a hundred of each class."""
    scale = replace(FULL, name=str(tmp_path / "photographs"))
    scale.prepare(shared_data)
    data = DataSettings(data="cifar10", data_dir=str(scale.measured_photographs))
    samples = load_data(data, "train")
    for label in RELEASED:
        stored = headline(label, "hessian")
        chosen = choose(samples, stored["provenance"]["num_samples"], 0)
        objective = Objective(
            load_checkpoint(NETWORKS / label).model,
            (samples.fetch(chosen), samples.targets[chosen]),
        )
        assert objective.loss() == pytest.approx(stored["loss"], rel=1e-4), label
