"""Sharpness along training: the numbers of the Hessian analysis at every saved epoch."""

import numpy as np
import pytest

from landscape import cli as train_cli
from landscape.curvature.stability import sam_edge
from tests.analyses.written import arrays, headline
from tests.commands import status_of


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of SGD with SAM that kept its epochs."""
    folder = tmp_path_factory.mktemp("kept") / "run"
    words = ("--model", "resnet-tiny", "--model-args", "width=4", "--data", "digits", "--opt")
    words = (*words, "sgd", "--epochs", "2", "-b", "256", "--rho", "0.05", "--save-every", "1")
    assert status_of(train_cli.main, *words, "--quiet", "--output-dir", folder) == 0
    return folder


def test_every_saved_epoch_is_measured(done, run, tmp_path):
    words = ("--samples", "32", "--output-dir", tmp_path)
    done("sharpness", run, *words, "--format", "png")
    numbers = headline(tmp_path, "run", "sharpness")
    assert numbers["epoch"] == [0, 1, 2]
    assert max(numbers["residual"]) <= 1e-3
    assert all(0 <= cosine <= 1 for cosine in numbers["cosine"])
    for epoch in (0, 1, 2):
        file = run / "epochs" / f"{epoch:04d}.pt"
        done("hessian", f"e{epoch}={file}", *words, "--top", "1", "--quick", "--format", "none")
        alone = headline(tmp_path, f"e{epoch}", "hessian")
        assert numbers["eigenvalue"][epoch] == pytest.approx(alone["eigenvalues"][0], rel=1e-4)
        assert numbers["loss"][epoch] == pytest.approx(alone["loss"], rel=1e-6)
        assert numbers["gradient_norm"][epoch] == pytest.approx(alone["gradient_norm"], rel=1e-5)
        cosine = alone["cosine_of_gradient_and_first_eigenvector"]
        assert numbers["cosine"][epoch] == pytest.approx(cosine, abs=1e-3)
    # The initial network has not been stepped from with a recorded learning rate.
    assert numbers["lr"][0] is None
    assert numbers["edge"][0] is None
    edge = sam_edge(numbers["lr"][1], 0.05, numbers["gradient_norm"][1], 0.9)
    assert numbers["edge"][1] == pytest.approx(edge)
    alone = headline(tmp_path, "e1", "hessian")
    assert alone["stability"]["sam_edge"] == pytest.approx(edge, rel=1e-5)
    stored = arrays(tmp_path / "run" / "sharpness.h5")
    np.testing.assert_allclose(stored["eigenvalue"], numbers["eigenvalue"])
    assert (tmp_path / "sharpness.png").stat().st_size > 5000


def test_every_nth_epoch(done, run, tmp_path):
    done(
        "sharpness",
        run,
        "--samples",
        "32",
        "--every",
        "2",
        "--format",
        "none",
        "--output-dir",
        tmp_path,
    )
    assert headline(tmp_path, "run", "sharpness")["epoch"] == [0, 2]


def test_a_run_without_saved_epochs(refused, runs, tmp_path):
    line = refused("sharpness", runs[0], "--samples", "32", "--output-dir", tmp_path)
    assert "has no saved epochs: train with --save-every 1" in line
