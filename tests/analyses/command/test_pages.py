"""Drawing leaves the process as it was."""

import gc

import pytest


@pytest.fixture
def put_back():
    """What tests have in common stays left out of garbage collection."""
    yield
    gc.freeze()


@pytest.mark.usefixtures("put_back")
@pytest.mark.parametrize("is_frozen", [False, True])
def test_what_the_process_has_frozen_stays_so(is_frozen, done, runs, tmp_path):
    gc.unfreeze()
    if is_frozen:
        gc.freeze()
    count = gc.get_freeze_count()
    assert bool(count) == is_frozen
    done("norms", runs[0], "--samples", "4", "--quiet", "--output-dir", tmp_path)
    assert gc.get_freeze_count() == pytest.approx(count, rel=0.01)
