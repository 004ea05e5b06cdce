"""Robustness of one checkpoint: which pictures it gets right, and the accuracies."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.robustness.settings import Settings
from landscape.data.corruptions.catalog import SEVERITIES
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result
from landscape.robustness.scores import Score, score_of

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Robustness(Result):
    """Which of N pictures are right: as they are, after F families of corruption at 5 severities,
    after attacks of R radii (in 1/255), and accuracies on further sets by name.

    ``correct`` (N,), ``corrupted`` (N, F, 5), ``fgsm`` and ``pgd`` (N, R). A set of several, as
    ImageNet-C in folders, has its mean under its own name and each under NAME/FAMILY/SEVERITY.
    """

    loss: float
    loss_stderr: float
    correct: Bools
    families: tuple[str, ...]
    corrupted: Bools
    radii: NDArray[np.float64]
    fgsm: Bools
    pgd: Bools
    sets: dict[str, Score]

    analysis: ClassVar[str] = "robustness"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Which pictures are right, and the accuracies that follow from it."""
        sample, by_radius = ("sample",), ("sample", "radius")
        grid = ("family", "severity")
        by_family = [[_score(of_one) for of_one in family.T] for family in self._by_family()]
        found = {
            "loss": Array(np.float64(self.loss), self.provenance.loss_unit),
            "loss_stderr": Array(np.float64(self.loss_stderr), self.provenance.loss_unit),
            "correct": Array(self.correct, "", sample),
            "families": Array(np.array(self.families, dtype=object), "", ("family",)),
            "severities": Array(np.array(SEVERITIES), "", ("severity",)),
            "corrupted": Array(self.corrupted, "", (*sample, *grid)),
            "radii": Array(self.radii, "1/255", ("radius",)),
            "fgsm": Array(self.fgsm, "", by_radius),
            "pgd": Array(self.pgd, "", by_radius),
            "corruption_accuracy": Array(_column(by_family, "accuracy"), "%", grid),
            "corruption_accuracy_stderr": Array(_column(by_family, "standard_error"), "%", grid),
            "sets": Array(np.array(list(self.sets), dtype=object), "", ("set",)),
        }
        for name, right in (("fgsm", self.fgsm), ("pgd", self.pgd)):
            scores = [[_score(column) for column in right.T]]
            found[f"{name}_accuracy"] = Array(_column(scores, "accuracy")[0], "%", ("radius",))
            error = _column(scores, "standard_error")[0]
            found[f"{name}_accuracy_stderr"] = Array(error, "%", ("radius",))
        for name, unit in COLUMNS.items():
            values = [getattr(score, name) for score in self.sets.values()]
            found[f"sets_{name}"] = Array(
                np.array([math.nan if value is None else value for value in values], dtype=float),
                unit,
                ("set",),
            )
        return found

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        columns = [arrays[f"sets_{name}"] for name in COLUMNS]
        sets = {}
        for name, *row in zip(arrays["sets"], *columns, strict=True):
            accuracy, error, samples, *among = map(float, row)
            present = [None if math.isnan(value) else value for value in among]
            sets[str(name)] = Score(accuracy, error, int(samples), *present)
        return cls(
            float(arrays["loss"]),
            float(arrays["loss_stderr"]),
            arrays["correct"],
            tuple(str(name) for name in arrays["families"]),
            arrays["corrupted"],
            arrays["radii"],
            arrays["fgsm"],
            arrays["pgd"],
            sets,
            label=label,
            settings=settings,
            provenance=provenance,
        )

    @property
    def accuracy(self) -> Score:
        """Of the pictures as they are."""
        return _score(self.correct)

    @property
    def corruption_accuracy(self) -> Score | None:
        """The mean over families and severities; None without corruptions."""
        return _score(self.corrupted.reshape(len(self.correct), -1)) if self.families else None

    @property
    def by_family(self) -> dict[str, Score]:
        """The mean over severities of each family."""
        return dict(zip(self.families, map(_score, self._by_family()), strict=True))

    @property
    def by_severity(self) -> dict[int, Score]:
        """The mean over families at each severity."""
        if not self.families:
            return {}
        return {level: _score(self.corrupted[:, :, k]) for k, level in enumerate(SEVERITIES)}

    def by_radius(self, attack: str) -> dict[float, Score]:
        """Under ``fgsm`` or ``pgd``, by radius in 1/255."""
        return {
            float(radius): _score(right)
            for radius, right in zip(self.radii, getattr(self, attack).T, strict=True)
        }

    def headline(self) -> dict[str, Any]:
        """Accuracies in per cent with their standard errors over pictures.

        ``corruptions`` has the means over severities by family, the means over families by
        severity, and each by itself; ``fgsm`` and ``pgd`` go by radius in 1/255.
        """
        corruption = self.corruption_accuracy
        each = {
            name: {level: _plain(_score(right[:, k])) for k, level in enumerate(SEVERITIES)}
            for name, right in zip(self.families, self._by_family(), strict=True)
        }
        return {
            "accuracy": self.accuracy.accuracy,
            "accuracy_stderr": self.accuracy.standard_error,
            "loss": self.loss,
            "loss_stderr": self.loss_stderr,
            "corruption_accuracy": corruption and corruption.accuracy,
            "corruption_accuracy_stderr": corruption and corruption.standard_error,
            "corruptions": {
                "by_family": {name: _plain(score) for name, score in self.by_family.items()},
                "by_severity": {level: _plain(score) for level, score in self.by_severity.items()},
                "each": each,
            },
            "fgsm": {f"{r:g}": _plain(score) for r, score in self.by_radius("fgsm").items()},
            "pgd": {f"{r:g}": _plain(score) for r, score in self.by_radius("pgd").items()},
            "sets": {
                name: {
                    **_plain(score),
                    "samples": score.samples,
                    "among_present": score.among_present,
                    "among_present_stderr": score.among_present_error,
                }
                for name, score in self.sets.items()
            },
        }

    def _by_family(self) -> list[Bools]:
        """For each family which pictures are right, (N, 5)."""
        return list(self.corrupted.swapaxes(0, 1))


# The fields of a score with their units.
COLUMNS = {
    "accuracy": "%",
    "standard_error": "%",
    "samples": "",
    "among_present": "%",
    "among_present_error": "%",
}


def _score(correct: Bools) -> Score:
    return score_of(torch.from_numpy(np.ascontiguousarray(correct)))


def _plain(score: Score) -> dict[str, float]:
    return {"accuracy": score.accuracy, "accuracy_stderr": score.standard_error}


def _column(scores: list[list[Score]], name: str) -> NDArray[np.float64]:
    width = len(scores[0]) if scores else len(SEVERITIES)
    values = [[getattr(score, name) for score in row] for row in scores]
    return np.array(values, dtype=float).reshape(len(scores), width)


ATTACKS = {"fgsm": "FGSM", "pgd": "PGD"}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _union(names: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for some in names for name in some))
