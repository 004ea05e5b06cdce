"""Some eigenvalues with their errors."""

import numpy as np

from analyses.hessian.eigenvalues import Eigenvalues


def test_bars_are_the_larger_error_and_end_before_zero():
    nan = float("nan")
    eigenvalues = Eigenvalues(
        values=np.array([10.0, -4.0, 2.0, -1.0, nan]),
        residuals=np.array([1e-5, 0.5, 1e-5, 3.0, nan]),
        converged=np.array([True, False, True, False, False]),
        sampling_errors=np.array([1.5, 0.1, nan, 0.2, nan]),
    )
    np.testing.assert_allclose(eigenvalues.bars, [1.5, 2.0, 2e-5, 0.999, 0.0])
    assert Eigenvalues.unknown(2).bars.tolist() == [0, 0]
