"""Networks with planted numbers, as a report would know them."""

from dataclasses import replace
from functools import cache

import numpy as np

from analyses import components, hessian
from analyses.hessian.component_curvature import Components
from analyses.hessian.eigenvalues import Eigenvalues
from analyses.report.paper.subjects import Network
from landscape.objective.objective import Objective
from tests.analyses.problems import network, samples

SETTINGS = hessian.Settings(top=1, probes=0, components="none")


def origin_of(family, rho, **others):
    training = None if rho is None else {"rho": rho, "opt": "adamw", "epochs": 1}
    return {"model": family, "model_args": {"dim": 8}, "training": training, **others}


@cache
def measured_spectrum():
    origin = {"split": "train"}
    return hessian.compute(Objective(network(), samples(), device="cpu", origin=origin), SETTINGS)


def spectrum(label, family, rho, value, error, **others):
    """A Hessian result whose largest eigenvalue is ``value``, known to ``error``."""
    measured = measured_spectrum()
    origin = {**measured.provenance.origin, "label": label, **origin_of(family, rho, **others)}
    return replace(
        measured,
        label=label,
        provenance=replace(measured.provenance, origin=origin),
        eigenvalues=np.array([value]),
        residuals=np.zeros(1),
        sampling_errors=np.array([error]),
        ends=Eigenvalues(
            np.array([value, -0.5]), np.zeros(2), np.ones(2, bool), np.array([error, 0.1])
        ),
        components=Components(
            ("embedding", "attention", "block 1", "block 2", "block 3"),
            np.ones(5, np.int64),
            Eigenvalues(
                np.array([3.0, 2.0, 1.5, 1.0, 0.5]),
                np.full(5, 1e-3),
                np.ones(5, bool),
                np.full(5, 0.1),
            ),
            Eigenvalues.unknown(5),
        ),
    )


def network_of(label, family, rho, value=1.0, error=0.1, **others):
    return Network(label, {"hessian": spectrum(label, family, rho, value, error, **others)})


def as_components(spectrum_result):
    """The result of components that a spectrum stands for."""
    return components.ComponentCurvature(
        spectrum_result.components,
        spectrum_result.ends,
        label=spectrum_result.label,
        settings=components.Settings(),
        provenance=spectrum_result.provenance,
    )
