"""The base of all results: an HDF5 file of arrays and a JSON file of headline numbers."""

import json
import math
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.errors import InputError
from landscape.results.consistency import check_axes, check_errors, check_restored
from landscape.results.dimensions import scales_of
from landscape.results.drawing import draw_into_axes
from landscape.results.files import replacing
from landscape.results.hdf5.read import Outline, read_arrays, read_outline
from landscape.results.hdf5.write import write_hdf5
from landscape.results.labelled import data_frames, dataset
from landscape.results.provenance import UNKNOWN, Provenance
from landscape.runtime.options import from_plain, to_plain, types_checked
from landscape.runtime.plain.fields import check_fields

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from xarray import Dataset

FORMAT = 4
# Those of files that earlier versions wrote: without a checksum, without dimension scales, and
# without arrays that results have had since. An array that is new in a result needs a new format.
UNSEALED_FORMAT = 1
EARLIER_FORMATS = (UNSEALED_FORMAT, 2, 3)
# What is raised where a file does not hold what a result needs.
_UNFIT = (
    InputError, KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError,
    ArithmeticError, RecursionError,
)  # fmt: skip


@dataclass(frozen=True)
class Array:
    """An array of a result file: its values, unit, and the names of its axes."""

    values: ArrayLike
    unit: str = ""
    axes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result(ABC):
    """The result of an analysis for a checkpoint.

    A subclass names its ``analysis`` and ``settings_type``, and defines which arrays its file holds
    and how to restore a result from them.

    Attributes:
        label: the name of the checkpoint in tables and figures.
        settings: of the analysis, an object of ``settings_type``.
        provenance: what was measured, and with what.
    """

    label: str = field(default="", kw_only=True)
    settings: Any = field(default=None, kw_only=True)
    provenance: Provenance = field(default=UNKNOWN, kw_only=True)

    analysis: ClassVar[str]
    settings_type: ClassVar[type[Any]]
    # The names of arrays, within their folders, that hold the coordinates of their axis.
    coordinates: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """The arrays of the HDF5 file, by path within the file."""

    @classmethod
    @abstractmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The result that has these :meth:`arrays`."""

    @abstractmethod
    def headline(self) -> dict[str, Any]:
        """The numbers of the JSON file."""

    def headline_units(self) -> dict[str, str]:
        """The units of numbers of :meth:`headline` by their names, where no array has the name.

        The name of a mapping stands for everything in it that has none of its own.
        """
        return {}

    def beside(self, sections: Collection[str]) -> Self:
        """The result without what other sections of a page show.

        Args:
            sections: the names of the analyses that have a section of their own.
        """
        return self

    def plot(self, ax: "Axes | None" = None) -> "dict[str, Figure]":
        """The matplotlib figures of this result, by file name.

        They are drawn by ``draw`` of the module ``figures`` beside the one that defines the class.

        Args:
            ax: axes of a figure of your own, into which the main picture is drawn instead.

        Returns:
            All pictures; with ``ax`` the figure of these axes alone.

        Raises:
            InputError: the main picture has several panels, which one ``ax`` can't hold.
        """
        package = type(self).__module__.rpartition(".")[0]
        draw = import_module(f"{package}.figures").draw
        if ax is None:
            figures: dict[str, Figure] = draw([self])
        else:
            figures = draw_into_axes(draw, self, ax)
        return figures

    def to_pandas(self) -> "dict[str, DataFrame]":
        """The arrays as pandas DataFrames, by name.

        Rows are along the first axis, of arrays of more than two dimensions along all but the last,
        columns along the last; they are labelled by the axis's coordinates where the result holds
        them, such as ``xcoordinates`` of a surface. The unit is in ``attrs["unit"]``. All numbers
        and texts that are no array are in ``"scalars"``, a row each with value and unit.

        Raises:
            InputError: pandas is not installed.

        Example:
            >>> surface.to_pandas()["train_loss"].loc[0.0]  # along x, at y = 0
        """
        self._need("pandas", "to_pandas")
        return data_frames(self.arrays(), self.coordinates)

    def to_xarray(self) -> "Dataset":
        """The arrays as an xarray Dataset, with ``units`` and coordinates.

        Variables have the names of arrays, with dots for slashes, so that netCDF can have them.
        An axis is a dimension by its name, with its coordinates where the result holds them. One
        that is longer or shorter in another folder of the file, or has other coordinates there, is
        called by its folder, too. Label, analysis, settings and provenance are attributes. The
        file opens with the same dimensions and coordinates: ``xarray.open_dataset(path,
        engine="h5netcdf")``, or ``xarray.open_datatree`` with its folders.

        Raises:
            InputError: xarray is not installed.

        Example:
            >>> surface.to_xarray()["train_loss"].sel(x=0.0, method="nearest")
        """
        self._need("xarray", "to_xarray")
        return dataset(
            self.arrays(),
            self.coordinates,
            {key: str(value) for key, value in self._attributes().items()},
        )

    def _need(self, package: str, method: str) -> None:
        try:
            import_module(package)
        except ImportError as error:
            raise InputError(
                f"{method}() needs {package}: pip install 'loss-landscape-toolkit[frames]'"
            ) from error

    def _attributes(self) -> dict[str, bool | int | str]:
        """What a file says beside its arrays."""
        return {
            "analysis": self.analysis,
            "format": FORMAT,
            "label": self.label,
            "settings": json.dumps(to_plain(self.settings)),
            "provenance": json.dumps(asdict(self.provenance)),
        }

    def save(self, path: str | Path, *, complete: bool = True) -> None:
        """Write the HDF5 file; a reader sees the old file or the new one, never a part.

        Args:
            path: of the file.
            complete: False marks the partial result of an unfinished computation.

        Raises:
            InputError: the axes of an array are not those of its values.
            SaveError: the file can't be written; the one that was there is intact.
        """
        arrays = self.arrays()
        check_axes(arrays, self.coordinates)
        write_hdf5(
            Path(path),
            {**self._attributes(), "complete": complete},
            {name: array.values for name, array in arrays.items()},
            {name: _described(array) for name, array in arrays.items()},
            scales_of(arrays, self.coordinates),
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read an HDF5 file.

        Raises:
            InputError: there is no such file, or it is damaged or of another analysis.
        """
        path = Path(path)
        try:
            outline = read_outline(path)
            _check_format(path, outline, cls.analysis)
            arrays = read_arrays(path)
        except FileNotFoundError as error:
            raise InputError(f"no such result: {path}") from error
        try:
            attributes = outline.attributes
            result = cls.from_arrays(
                arrays,
                str(attributes["label"]),
                from_plain(cls.settings_type, json.loads(str(attributes["settings"]))),
                Provenance(**types_checked(Provenance, json.loads(str(attributes["provenance"])))),
            )
            check_fields(result)
            described = result.arrays()
            check_axes(described, cls.coordinates)
            check_errors(described)
            if outline.is_sealed:
                is_earlier = attributes["format"] in EARLIER_FORMATS
                check_restored(described, arrays, may_lack=is_earlier)
            plain(result.headline())
        except _UNFIT as error:
            why = textwrap.shorten(str(error), 300) or type(error).__name__
            raise InputError(f"{path} is damaged or not a result file ({why})") from error
        return result

    def write_json(self, path: str | Path) -> None:
        """Write label, analysis, headline numbers, settings and provenance as JSON."""
        content = {
            "label": self.label,
            "analysis": self.analysis,
            **self.headline(),
            "settings": to_plain(self.settings),
            "provenance": asdict(self.provenance),
        }
        with replacing(Path(path)) as temporary:
            temporary.write_text(json.dumps(plain(content), indent=2, allow_nan=False) + "\n")


def _described(array: Array) -> dict[str, str]:
    """The attributes of an array; ``units`` is what netCDF calls the unit."""
    units = {"units": array.unit} if array.unit else {}
    return {"unit": array.unit, "axes": json.dumps(array.axes), **units}


def is_complete(path: Path) -> bool:
    """Whether a result file is of a finished computation; True if it can't be read."""
    try:
        return bool(read_outline(path).attributes.get("complete", True))
    except (FileNotFoundError, InputError):
        return True


def plain(value: Any) -> Any:
    """Any value as JSON types: nan and infinities, which JSON does not have, become null.

    Values of unknown types become text.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _check_format(path: Path, outline: Outline, expected: str) -> None:
    analysis = outline.attributes.get("analysis")
    if analysis != expected:
        raise InputError(f"{path} holds {analysis or 'no analysis'}, not {expected}")
    number = outline.attributes.get("format")
    if number not in (*EARLIER_FORMATS, FORMAT):
        raise InputError(f"{path} has format {number}, expected {FORMAT} or before")
    if number != UNSEALED_FORMAT and not outline.is_sealed:
        raise InputError(f"{path} is damaged: it has lost its checksum; measure it again")
