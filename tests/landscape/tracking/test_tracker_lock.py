"""A tracker's folder belongs to its process."""

import gc

import pytest

from landscape import Tracker
from landscape.checkpoints.run import RunDirectory
from landscape.errors import InUseError
from tests.holder import holder, is_locked
from tests.landscape.tracking.training import make, samples


def test_another_process_keeps_a_tracker_out_and_the_other_way_round(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    tracker = Tracker(folder, samples(), quantities=("grad_norm",))
    with holder(folder / ".lock") as process:
        with pytest.raises(InUseError, match=f"{folder} is being written by process {process.pid}"):
            tracker.step(make())
        assert [path.name for path in folder.iterdir()] == [".lock"]
    tracker.step(make())
    assert is_locked(folder / ".lock")
    # A notebook's next tracker goes on while the one before is still there.
    second = Tracker(folder, samples(), quantities=("grad_norm",), resume=True)
    second.step(make())
    assert [row["epoch"] for row in RunDirectory(folder).read_metrics()] == [2, 3]
    del tracker, second
    gc.collect()
    assert not (folder / ".lock").exists()
