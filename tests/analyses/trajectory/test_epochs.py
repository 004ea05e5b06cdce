"""The saved epochs of a trajectory: their order, and what is refused."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from analyses import sharpness, trajectory
from analyses.trajectory.settings import Settings
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from tests.analyses.problems import network, objective, samples
from tests.analyses.trajectory.walks import GRID, in_double, save, walk


def test_epochs_are_in_the_order_of_their_numbers(tmp_path):
    networks = walk(network())
    for number in (5, 30, 100, 1000):
        torch.save(networks[number % 7].state_dict(), tmp_path / f"v2_model_{number}.t7")
    settings = Settings(epochs=str(tmp_path / "v2_model_*.t7"), **GRID)
    result = trajectory.compute(objective(), settings)
    assert result.path["epoch"].tolist() == [5, 30, 100, 1000]
    expected = [Objective(networks[n % 7], samples(), device="cpu", batch_size=10).loss()
                for n in (5, 30, 100, 1000)]  # fmt: skip
    np.testing.assert_array_equal(result.path["loss"], expected)


def test_a_pattern_without_files(tmp_path):
    with pytest.raises(InputError, match="matches no files"):
        trajectory.compute(objective(), Settings(epochs=str(tmp_path / "model_*.pt")))


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_files(tmp_path, count):
    pattern = save(walk(network(), count), tmp_path)
    with pytest.raises(InputError, match=f"matches {count} files; a plane needs 3"):
        trajectory.compute(objective(), Settings(epochs=pattern))


def test_a_model_of_no_run_has_no_epochs():
    with pytest.raises(NotMeasurableError, match="has 0 saved epochs, a plane needs 3"):
        trajectory.compute(objective())


def test_what_spans_no_plane(tmp_path):
    start = network()
    for k in range(4):
        model = copy.deepcopy(start)
        with torch.no_grad():
            model[0].weight += 0.5 * k
        torch.save(model.state_dict(), tmp_path / f"model_{k}.pt")
    with pytest.raises(InputError, match="the saved epochs lie on a line; they span no plane"):
        trajectory.compute(in_double(start), Settings(epochs=str(tmp_path / "model_*.pt")))


def test_an_epoch_of_another_network_is_named(tmp_path):
    pattern = save(walk(network(), 4), tmp_path)
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "model_2.pt")
    with pytest.raises(InputError, match=r"model_2\.pt does not fit the model"):
        trajectory.compute(objective(), Settings(epochs=pattern))


@pytest.mark.parametrize("analysis", [sharpness.ANALYSIS, trajectory.ANALYSIS])
def test_the_files_that_are_read_are_part_of_the_question(analysis, tmp_path):
    """Also those that lie beside the checkpoint, and none that are left out."""
    for name in ("epoch=0.ckpt", "epoch=1.ckpt", "epoch=2.ckpt", "last.ckpt"):
        (tmp_path / name).touch()
    objective = SimpleNamespace(origin={"checkpoint": str(tmp_path / "epoch=1.ckpt")})
    expected = [tmp_path / f"epoch={k}.ckpt" for k in range(3)]
    assert analysis.reads(objective, analysis.settings()) == expected
    by_pattern = analysis.settings(epochs=(str(tmp_path / "*.ckpt"),))
    assert analysis.reads(SimpleNamespace(origin={}), by_pattern) == expected
