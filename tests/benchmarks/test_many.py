"""Copies of results under many labels."""

import numpy as np

from analyses.catalog import known_analyses
from benchmarks.many.copies import write_copies
from tests.analyses.problems import result


def test_copies_are_valid_results_that_differ(tmp_path):
    sources = [[result("norms"), result("line")], [result("norms", 1), result("line", 1)]]
    files = write_copies(sources, ["a", "b", "c"], tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in files] == [
        f"{label}/{name}.h5" for label in "abc" for name in ("norms", "line")
    ]
    loaded = [known_analyses()[path.stem].result_type.load(path) for path in files]
    assert [copy.label for copy in loaded] == ["a", "a", "b", "b", "c", "c"]
    assert len({copy.provenance.weights_sha256 for copy in loaded[::2]}) == 3
    first, third = loaded[1], loaded[5]  # of one source
    assert np.array_equal(first.x, third.x)
    ratio = first.loss / third.loss
    assert np.allclose(ratio, ratio[0])
    assert abs(ratio[0] - 1) > 1e-6
