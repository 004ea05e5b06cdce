"""What the results of lines and planes share: values, files and headline numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.slices.stored_arrays import relative_error_names, under
from landscape.estimates import Estimate
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result
from landscape.results.value_names import is_of_a_loss

# Of all numbers that are neither losses nor metrics.
UNITS = {
    "x_moved": "relative",
    "y_moved": "relative",
    "error": "relative",
    "noise": "relative",
    "eig_residual": "relative",
    "x": "x direction",
    "y": "y direction",
    "distance": "l2 norm",
    "explained": "fraction",
}

Arrays = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Slice(Result):
    """The loss and other values along a line, shape (nx,), or on a plane, shape (ny, nx).

    Attributes:
        split: the split of the objective's own samples; it comes first.
        x: the coordinates along x, shape (nx,).
        y: the coordinates along y, shape (ny,); None on a line.
        values: the arrays by name: ``train_loss``, ``train_acc`` in per cent,
            ``train_loss_stderr`` (the sampling error of the loss), further metrics, and the same
            for other splits; ``min_eig`` and ``max_eig`` where eigenvalues are asked for.
        at_origin: the same numbers of the network itself.
        directions: the directions' tensors by path, as files name them.
        direction_cosine: the cosine between the two directions; 1 on a line.
        tensors: columns with one entry for each parameter tensor; see
            :func:`analyses.slices.tensors.tensor_table`.
        mode: how the loss was evaluated, and the error of that.
        measured: which values were measured; the others are interpolated.
        errors: the standard errors of interpolated values, and of those that were measured in
            faster arithmetic; 0 where neither is the case.
        relative_errors: the names of those errors that are relative to the values, because
            logarithms were interpolated; the others have the unit of the values. None in files of
            versions that did not record it.
        repeats: values of shape (K, ...) of K draws of directions, the first of which is the
            slice itself; empty with one draw. ``measured`` and ``errors`` are of the first.
        path: what else was measured, such as a training trajectory.
        dof: the degrees of freedom of sampling errors by their names, such as
            ``train_loss_stderr``; those that are missing, as in files of earlier versions, are
            one less than the number of samples.
    """

    split: str
    x: Floats
    y: Floats | None
    values: dict[str, Floats]
    at_origin: dict[str, float]
    directions: dict[str, NDArray[Any]]
    direction_cosine: float
    tensors: dict[str, NDArray[Any]]
    mode: dict[str, Any]
    measured: NDArray[np.bool_]
    errors: dict[str, Floats] = field(default_factory=dict)
    relative_errors: tuple[str, ...] | None = None
    repeats: dict[str, Floats] = field(default_factory=dict)
    path: dict[str, NDArray[Any]] = field(default_factory=dict)
    dof: dict[str, float] = field(default_factory=dict)

    coordinates: ClassVar[tuple[str, ...]] = (
        "xcoordinates", "ycoordinates", "name", "value_names", "epoch",
    )  # fmt: skip
    path_axes: ClassVar[tuple[str, ...]] = ("epoch",)
    # The places along x that pictures mark: the network itself.
    marked_x: ClassVar[tuple[float, ...]] = (0.0,)

    @property
    def rows(self) -> Floats:
        """The y coordinates; (0,) on a line."""
        return np.zeros(1) if self.y is None else self.y

    @property
    def loss(self) -> Floats:
        """The loss on the slice's first split."""
        return self.values[f"{self.split}_loss"]

    @property
    def accuracy(self) -> Floats:
        """The accuracy on that split in per cent; nan where the task has no classes."""
        return self.values[f"{self.split}_acc"]

    @property
    def loss_at_origin(self) -> float:
        """The network's own loss."""
        return self.at_origin.get(f"{self.split}_loss", np.nan)

    @property
    def accuracy_at_origin(self) -> float:
        """The network's own accuracy, in per cent."""
        return self.at_origin.get(f"{self.split}_acc", np.nan)

    @property
    def loss_stderr(self) -> float:
        """The sampling error of the network's own loss."""
        return self.at_origin.get(f"{self.split}_loss_stderr", np.nan)

    def dof_of(self, name: str) -> float:
        """The degrees of freedom of a sampling error by its name."""
        return self.dof.get(name, self.provenance.num_samples - 1.0)

    def loss_with_error(self, split: str) -> Estimate:
        """The network's own loss on a split with its sampling error; nan if it isn't known."""
        error = f"{split}_loss_stderr"
        loss, stderr = (self.at_origin.get(name, np.nan) for name in (f"{split}_loss", error))
        return Estimate(loss, stderr, self.dof_of(error))

    def has_relative_error(self, name: str) -> bool:
        """Whether the errors of interpolated values are relative to them.

        Where that is not recorded, those of losses are whose measured values are all above 0.
        """
        if self.relative_errors is not None:
            return name in self.relative_errors
        known = self.measured & np.isfinite(self.values[name])
        return is_of_a_loss(name) and bool((self.values[name][known] > 0).all())

    def absolute_error(self, name: str) -> Floats:
        """The errors of interpolated values in the unit of the values."""
        errors = self.errors[name]
        return errors * np.abs(self.values[name]) if self.has_relative_error(name) else errors

    @property
    def splits(self) -> list[str]:
        """The splits that were evaluated, starting with ``split``."""
        losses = (name.removesuffix("_loss") for name in self.values if name.endswith("_loss"))
        names = [name for name in losses if f"{name}_acc" in self.values]  # else it is a metric
        return sorted(names, key=lambda name: name != self.split)

    def without_vectors(self) -> Self:
        """The same without its directions, which only its file needs."""
        return replace(self, directions={})

    def arrays(self) -> dict[str, Array]:
        """Coordinates and values under the names of the original tool, and everything else."""
        axes = ("x",) if self.y is None else ("y", "x")
        stored = {
            "xcoordinates": Array(self.x, "x direction", ("x",)),
            **{name: Array(values, self._unit(name), axes) for name, values in self.values.items()},
            **{f"origin/{name}": Array(v, self._unit(name)) for name, v in self.at_origin.items()},
            **{f"dof/{name}": Array(dof, "degrees of freedom") for name, dof in self.dof.items()},
            **{name: Array(values) for name, values in self.directions.items()},
            **{
                f"tensors/{name}": Array(column, self._unit(name), ("tensor",))
                for name, column in self.tensors.items()
            },
            "value_names": Array(np.array([*self.values], dtype=object), "", ("value",)),
            "split": Array(self.split),
            **{
                f"evaluation/{name}": Array(value, self._unit(name))
                for name, value in self.mode.items()
            },
            "direction_cosine": Array(self.direction_cosine),
            "measured": Array(self.measured.astype(np.uint8), "", axes),
            **{
                f"error/{name}": Array(error, self._unit_of_error(name), axes)
                for name, error in self.errors.items()
            },
            **{
                f"repeats/{name}": Array(values, self._unit(name), ("repeat", *axes))
                for name, values in self.repeats.items()
            },
            **{
                f"path/{name}": Array(values, self._unit(name), self.path_axes)
                for name, values in self.path.items()
            },
            "dir_file": Array(self._direction_file()),
        }
        if self.errors and self.relative_errors is not None:
            names = np.array([*self.relative_errors], dtype=object)
            stored["relative_errors"] = Array(names, "", ("relative_error",))
        if self.y is not None:
            stored["ycoordinates"] = Array(self.y, "y direction", ("y",))
        if "x" in self.path and "y" in self.path:  # under the names that its plotters read
            stored["proj_xcoord"] = Array(self.path["x"], "x direction", ("epoch",))
            stored["proj_ycoord"] = Array(self.path["y"], "y direction", ("epoch",))
        return stored

    @classmethod
    def from_arrays(cls, arrays: Arrays, label: str, settings: Any, provenance: Provenance) -> Self:
        """The inverse of :meth:`arrays`."""
        names = [str(name) for name in arrays["value_names"]]
        return cls(
            split=str(arrays["split"]),
            x=arrays["xcoordinates"],
            y=arrays.get("ycoordinates"),
            values={name: arrays[name] for name in names},
            at_origin={name: float(value) for name, value in under(arrays, "origin").items()},
            dof={name: float(value) for name, value in under(arrays, "dof").items()},
            directions={k: v for k, v in arrays.items() if "direction/" in k},
            direction_cosine=float(arrays["direction_cosine"]),
            tensors=under(arrays, "tensors"),
            mode={name: value.item() for name, value in under(arrays, "evaluation").items()},
            measured=arrays["measured"].astype(bool),
            errors=under(arrays, "error"),
            relative_errors=relative_error_names(arrays),
            repeats=under(arrays, "repeats"),
            path=under(arrays, "path"),
            label=label,
            settings=settings,
            provenance=provenance,
        )

    def headline(self) -> dict[str, Any]:
        """The network's own numbers with their sampling error, and the range over the slice."""
        finite = self.loss[np.isfinite(self.loss)]
        numbers: dict[str, Any] = {
            "split": self.split,
            "loss": self.loss_at_origin,
            "loss_stderr": self.loss_stderr,
            "accuracy": self.accuracy_at_origin,
            "min_loss": finite.min() if finite.size else np.nan,
            "max_loss": finite.max() if finite.size else np.nan,
            "mean_loss": finite.mean() if finite.size else np.nan,
            "not_finite": int(self.loss.size - finite.size),
            "points": int(self.loss.size),
            "measured": int(self.measured.sum()),
            "direction_cosine": self.direction_cosine,
            "evaluation": dict(sorted(self.mode.items())),
            "own": dict(sorted(self.at_origin.items())),
        }
        if self.errors:
            errors = self.errors[f"{self.split}_loss"][~self.measured]
            numbers["largest_interpolation_error"] = errors.max() if errors.size else 0.0
        if self.tensors:
            numbers["perturbed"] = self._treatments()
        if self.repeats:
            means = self.repeats[f"{self.split}_loss"].reshape(self.settings.repeats, -1).mean(1)
            numbers["mean_loss_by_repeat"] = means
        return numbers

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        losses = ("loss", "min_loss", "max_loss", "mean_loss")
        return {
            **{name: self._unit(name) for name in (*losses, *self.at_origin, *self.mode)},
            "accuracy": "%",
            "largest_interpolation_error": self._unit_of_error(f"{self.split}_loss"),
            "mean_loss_by_repeat": self.provenance.loss_unit,
        }

    def _treatments(self) -> dict[str, dict[str, str]]:
        """What each direction does to each kind of parameter, in words."""
        words: dict[str, dict[str, str]] = {}
        for axis in "xy"[: 1 if self.y is None else 2]:
            pairs = zip(self.tensors["kind"], self.tensors[f"{axis}_treatment"], strict=True)
            treatments: dict[str, list[str]] = {}
            for kind, treatment in pairs:
                treatments.setdefault(str(kind), []).append(str(treatment))
            words[axis] = {
                kind: ", ".join(f"{name} ({names.count(name)})" for name in dict.fromkeys(names))
                for kind, names in treatments.items()
            }
        return words

    def _unit(self, name: str) -> str:
        if name.endswith(("loss", "_loss_stderr", "_eig")):
            return self.provenance.loss_unit
        if name.endswith("_confidence"):
            return "fraction"
        return "%" if name.endswith(("_acc", "_top5_error")) else UNITS.get(name, "")

    def _unit_of_error(self, name: str) -> str:
        return "relative" if self.has_relative_error(name) else self._unit(name)

    def _direction_file(self) -> str:
        """The file in which the original tool looks for the directions: this one."""
        return f"{self.analysis}.h5"
