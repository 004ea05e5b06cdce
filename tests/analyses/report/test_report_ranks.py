"""A report that torchrun shares over processes is that of one."""

import os
import subprocess

import h5py
import numpy as np

from tests.commands import TIMEOUT, installed

WORDS = ("--samples", "24", "--only", "hessian,components,norms,robustness")
SMALL = ("--top", "1", "--probes", "2", "--density-steps", "3", "--corruptions", "fog")
ATTACK = ("--attack-radius", "4", "--attack-steps", "1")


def test_components_come_out_of_the_spectrum_in_every_rank(runs, done, tmp_path):
    words = (runs[0], *WORDS, *SMALL, *ATTACK, "--format", "none")
    done("report", *words, "--output-dir", tmp_path / "one")
    launcher = [installed("torchrun"), "--standalone", "--nproc-per-node", "2", "--no-python"]
    command = [installed("landscape-plot"), "report", *words, "--output-dir", tmp_path / "two"]
    shared = subprocess.run(
        [*launcher, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert shared.returncode == 0, shared.stderr
    found = {
        kind: {
            name: h5py.File(tmp_path / kind / "plain" / f"{name}.h5")
            for name in ("hessian", "components", "norms", "robustness")
        }
        for kind in ("one", "two")
    }
    parts = "components/eigenvalues"
    one, two = found["one"], found["two"]
    assert two["components"][parts][()].tolist() == two["hessian"][parts][()].tolist()
    np.testing.assert_allclose(
        two["components"][parts][()], one["components"][parts][()], rtol=1e-3
    )
    assert np.array_equal(two["norms"]["whole"][()], one["norms"]["whole"][()])
    assert np.array_equal(two["robustness"]["corrupted"][()], one["robustness"]["corrupted"][()])
