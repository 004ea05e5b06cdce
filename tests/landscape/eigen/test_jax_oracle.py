"""Against Hessians that the reference JAX implementation computed in float64."""

import numpy as np
import pytest
import torch

from landscape.checkpoints.load import load_checkpoint
from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.lanczos import lanczos
from landscape.objective.objective import Objective
from tests.profile import repeats

SIZES = {"image_size": 32, "patch_size": 8, "dim": 32, "depth": 2, "num_classes": 10}
# How many eigenvalues by magnitude hold the five largest and the three smallest.
PROBLEMS = [
    pytest.param("vit", {"heads": 4, "mlp_dim": 64}, 10, id="vit"),
    pytest.param("mixer", {"token_dim": 24, "channel_dim": 64}, 12, id="mixer"),
]


@pytest.mark.parametrize(("family", "sizes", "count"), PROBLEMS[: repeats(1, 2)])
def test_both_ends_of_the_spectrum_are_those_of_jax(shared_data, family, sizes, count):
    truth = np.load(shared_data / f"official_{family}_tiny_oracle.npz")
    checkpoint = load_checkpoint(
        shared_data / f"official_{family}_tiny.npz", family, {**SIZES, **sizes}
    )
    images = torch.from_numpy(truth["images_nhwc"]).permute(0, 3, 1, 2)
    objective = Objective(
        checkpoint.model,
        (images, torch.from_numpy(truth["labels"])),
        batch_size=48,  # 48 and 16: uneven
        device="cpu",
        dtype=torch.float64,
    )
    assert objective.num_parameters == truth["num_params"]
    assert objective.loss() == pytest.approx(float(truth["loss"]), rel=1e-12)
    gradient = objective.gradient()
    assert gradient.norm().item() == pytest.approx(float(truth["grad_norm"]), rel=1e-10)

    pairs = lanczos(
        CurvatureOperator(objective), count, torch.Generator().manual_seed(0), tolerance=1e-5
    )
    assert pairs.converged.all()
    eigenvalues = np.sort(pairs.eigenvalues.numpy())
    largest, smallest = np.sort(truth["hessian_top5"]), np.sort(truth["hessian_bottom3"])
    np.testing.assert_allclose(eigenvalues[-5:], largest, rtol=1e-6)
    np.testing.assert_allclose(eigenvalues[:3], smallest, rtol=1e-6)
