"""Mini-batches that were measured before a kill are not measured again."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from analyses import minibatch
from analyses.minibatch.settings import Settings
from analyses.run_context import RunContext
from tests.analyses.case_objectives import case_objective

SMALL = Settings(minibatches=5, minibatch_size=3, minibatch_top=4)
MODULE = import_module("analyses.minibatch.measure")


@pytest.fixture
def killed(tmp_path, monkeypatch):
    """The folder of a measurement that was killed after three mini-batches."""
    spectrum = MODULE._spectrum

    def stop(*arguments):
        if arguments[-1] == 3:
            raise KeyboardInterrupt
        return spectrum(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(MODULE, "_spectrum", stop)
        with pytest.raises(KeyboardInterrupt):
            minibatch.compute(case_objective("mixer"), SMALL, RunContext(tmp_path))
    return tmp_path


@pytest.fixture
def measured(monkeypatch):
    """The numbers of the mini-batches that are measured from now on."""
    numbers, spectrum = [], MODULE._spectrum

    def note(*arguments):
        numbers.append(arguments[-1])
        return spectrum(*arguments)

    monkeypatch.setattr(MODULE, "_spectrum", note)
    return numbers


def test_the_rest_is_measured_and_the_result_has_the_same_bits(killed, measured, caplog):
    caplog.set_level("INFO")
    spectra = minibatch.compute(case_objective("mixer"), SMALL, RunContext(killed))
    assert measured == [3, 4]
    assert "Resuming after 3 mini-batches" in caplog.messages
    whole = minibatch.compute(case_objective("mixer"), SMALL)
    np.testing.assert_array_equal(spectra.eigenvalues, whole.eigenvalues)
    np.testing.assert_array_equal(spectra.residuals, whole.residuals)


def test_a_journal_of_other_settings_is_set_aside(killed, measured, caplog):
    caplog.set_level("INFO")
    before = (killed / "minibatch.journal").read_bytes()
    minibatch.compute(case_objective("mixer"), replace(SMALL, l2=0.1), RunContext(killed))
    assert measured == [0, 1, 2, 3, 4]
    assert (killed / "minibatch.1.journal").read_bytes() == before
    assert caplog.messages == [
        f"{killed}/minibatch.journal belongs to another question (l2 0.0, now 0.1): "
        "kept as minibatch.1.journal"
    ]
