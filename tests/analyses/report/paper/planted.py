"""Networks with planted numbers, as a report would know them."""

from dataclasses import replace
from functools import cache

import numpy as np

from analyses import components, hessian
from analyses.hessian.component_curvature import Components
from analyses.hessian.eigenvalues import Eigenvalues
from analyses.report.paper.catalog import judge
from analyses.report.paper.quantities import ROWS, Row
from analyses.report.paper.quantity import Quantity
from analyses.report.paper.subjects import Network, Run, networks
from landscape.objective.objective import Objective
from tests.analyses.problems import network, samples

SETTINGS = hessian.Settings(top=1, probes=0, components="none")

# A word of the claim about curvature, and curvatures of a sharp method.
FLATTER = "SAM finds flatter minima"
SHARP = [9.0, 10.0, 11.0]


def judgement_of(statement, members):
    """What networks say of the claim that has these words."""
    (judgement,) = [each for each in judge(members) if statement in each.claim.statement]
    return judgement


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
    """A network of one run."""
    measured = spectrum(label, family, rho, value, error, **others)
    return Network(label, (Run(label, {"hessian": measured}),))


def replicates_of(label, family, rho, values, error=0.0, seeds=None, **others):
    """A network with a run for each value, of the seeds 0, 1, ... where none are given."""
    seeds = range(len(values)) if seeds is None else seeds
    results = [
        spectrum(f"{label}/seed-{seed}", family, rho, value, error, **others)
        for seed, value in zip(seeds, values, strict=True)
    ]
    (network,) = networks({"hessian": results})
    return network


def as_components(spectrum_result):
    """The result of components that a spectrum stands for."""
    return components.ComponentCurvature(
        spectrum_result.components,
        spectrum_result.ends,
        label=spectrum_result.label,
        settings=components.Settings(),
        provenance=spectrum_result.provenance,
    )


class PlantedResult:
    """A result whose numbers by the names of the paper's rows are given."""

    def __init__(self, label, family, rho, seed, numbers):
        self.label = label
        self.numbers = numbers
        origin = origin_of(family, rho)
        origin["training"]["seed"] = seed
        self.provenance = replace(measured_spectrum().provenance, origin=origin)


def plant_rows(monkeypatch):
    """Read every row of the paper's tables from planted results: name to (value, error)."""
    for name, row in ROWS.items():

        def read(result, name=name):
            if name not in result.numbers:
                return None
            value, error = result.numbers[name]
            return Quantity(value, error, "planted", "8 samples", "planted")

        monkeypatch.setitem(ROWS, name, Row(row.title, ("planted",), read))


def planted_network(label, family, rho, numbers_by_seed):
    """A network of which each run has the numbers that are given for its seed."""
    results = [
        PlantedResult(f"{label}/seed-{seed}", family, rho, seed, numbers)
        for seed, numbers in numbers_by_seed.items()
    ]
    (network,) = networks({"planted": results})
    return network
