"""A report that processes share is that of one."""

import h5py
import numpy as np

WORDS = ("--samples", "24", "--only", "hessian,components,norms,robustness")
SMALL = ("--top", "1", "--probes", "2", "--density-steps", "3", "--corruptions", "fog")
ATTACK = ("--attack-radius", "4", "--attack-steps", "1")


def test_components_come_out_of_the_spectrum_in_every_rank(warm, runs, done, tmp_path):
    words = (runs[0], *WORDS, *SMALL, *ATTACK, "--format", "none")
    done("report", *words, "--output-dir", tmp_path / "one")
    ranks = warm.start_ranks("report", *words, "--output-dir", tmp_path / "two", count=2)
    assert [rank.end() for rank in ranks] == [0, 0], [rank.err for rank in ranks]
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
