"""What every analysis says of a network on a device is what it says on the processor."""

import numpy as np
import pytest

from analyses import cli
from analyses.analysis import Takes
from analyses.catalog import known_analyses
from tests.analyses.command.words import WORDS
from tests.commands import status_of
from tests.cuda.examples import skip_on_the_processor

COMMON = ("--precision", "fp64", "--samples", "20", "--format", "none", "--quiet", "--debug")
# Beside those of the other commands' tests, those of analyses that need a run or a pair.
MORE = {
    "interpolate": ("--x=0:1:3",),
    "trajectory": ("--x=-1:1:2", "--y=-1:1:2"),
    "sharpness": (),
}
ASKED = [name for name, analysis in known_analyses().items() if analysis.takes is not Takes.RUN]
# Everything is in float64, in which sums in another order differ by rounding; what is iterated to
# a tolerance starts from the same vectors and takes the same steps.
RELATIVE, OF_THE_LARGEST = 1e-6, 1e-8
# Distances from a solution are themselves rounding where they are small.
DISTANCE = 1e-6
# One on each family of operations: attention, and convolutions with BatchNorm.
ALSO_OF_RESNETS = ("surface", "hessian", "ntk", "flatness", "sparsity")
CASES = [("vit", name) for name in ASKED] + [("resnet", name) for name in ALSO_OF_RESNETS]
EXAMPLES = {("vit", "surface"), ("resnet", "surface")}


def arrays(name, family, device, trained, folder):
    """The arrays of the result of an analysis that is measured on a device."""
    run = trained[family]
    checkpoints = (run, run / "epochs" / "0001.pt") if name == "interpolate" else (run,)
    small = {**WORDS, **MORE}[name]
    words = (name, *checkpoints, *small, *COMMON, "--device", device, "--output-dir", folder)
    assert status_of(cli.main, *words) == 0
    (file,) = folder.rglob(f"{name}.h5")
    result = known_analyses()[name].result_type.load(file)
    assert (result.provenance.device == "cpu") == (str(device) == "cpu")
    return {key: np.asarray(array.values) for key, array in result.arrays().items()}


@pytest.mark.parametrize(("family", "name"), CASES)
def test_it_says_what_it_says_on_the_processor(family, name, device, trained, tmp_path):
    skip_on_the_processor(device, unless=(family, name) in EXAMPLES)
    expected = arrays(name, family, "cpu", trained, tmp_path / "processor")
    found = arrays(name, family, device, trained, tmp_path / "device")
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key].shape == values.shape, key
        if values.dtype.kind in "fc":
            largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
            absolute = DISTANCE if "residual" in key else OF_THE_LARGEST * largest
            np.testing.assert_allclose(
                found[key], values, rtol=RELATIVE, atol=absolute, err_msg=key
            )
        else:
            np.testing.assert_array_equal(found[key], values, err_msg=key)
