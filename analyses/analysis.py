"""What an analysis is: all that the command, the files and the report have to know of it.

An analysis is a package of up to five rooms, each a module with one public function or class:

    settings.py   Settings, a frozen dataclass whose fields are flags; imports no torch
    result.py     a subclass of Result: the arrays of the file and the headline numbers
    measure.py    measure(objective, settings, context): the numbers, as a Result
    tables.py     tabulate(results): the tables of the report
    figures.py    draw(results, options): the pictures; the only room that imports matplotlib

Its ``__init__`` describes them with an :class:`Analysis`. Only ``settings`` is imported there: the
other rooms are imported when they are used, so that ``--help`` needs neither torch nor matplotlib.
"""

from __future__ import annotations

import dataclasses
import inspect
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from landscape.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from matplotlib.figure import Figure

    from analyses.drawing.options import PlotOptions
    from analyses.run_context import RunContext
    from landscape.objective.objective import Objective
    from landscape.results.result import Result

S = TypeVar("S")
R = TypeVar("R", bound="Result")

Rows = list[dict[str, str]]


class Takes(Enum):
    """What an analysis is of."""

    CHECKPOINT = "a checkpoint"
    PAIR = "two checkpoints, the first with each of the others"
    RUN = "a run directory, of which neither the weights nor the data are needed"


@dataclass(frozen=True)
class Analysis(Generic[S, R]):
    """One question that can be asked of a network, and what others have to know of it.

    Args:
        name: the subcommand, the stem of its files and the key of its results.
        package: the package that holds its rooms; ``__name__`` in that package.
        question: the question in words, for the index of analyses.
        title: the heading of its section in the report.
        summary: one line for ``--help``.
        reading: how to read the analysis, under "", and its pictures, by their file names.
        settings: the Settings class of its ``settings`` room.
        result: the name of the Result class in its ``result`` room.
        in_paper: the tables and figures of Chen, Hsieh and Gong (ICLR 2022) that it measures.
        takes: what it is of.
        split: the split of the data that it is about; "" for the one that is asked for.
        is_distributed: whether the processes that ``torchrun`` starts share its work; otherwise
            the first one does it alone.
        precisions: what ``--precision`` may be.
        file_settings: the settings that name files, whose content is part of the question.
        reads: lists further files that an objective and settings make it read, which are part of
            the question, too.
        second_checkpoint: of a pair, the setting that names the second checkpoint.
        reference: the setting that names a checkpoint to compare with; where it is empty, the first
            checkpoint of the same architecture is taken.
        adapts: the analyses whose results of the same checkpoint it can use.
        has_defaults_in_report: whether a report takes its default settings, because its flags mean
            something else for another analysis.
        on_screen: the settings that a report takes for those of its flags; it is told which fields
            were given.
        answered_by: the settings with which a stored result answers those that are asked for: these
            themselves, or those of the stored one where it says more.
        foreign: the module in its package that reads result files of other tools, with
            ``can_read(path)`` and ``read(path, label)``.
        examples: command lines for ``landscape-plot --help``.
    """

    name: str
    package: str
    question: str
    title: str
    summary: str
    reading: Mapping[str, str]
    settings: type[S]
    result: str
    in_paper: str = ""
    takes: Takes = Takes.CHECKPOINT
    split: str = ""
    is_distributed: bool = False
    precisions: tuple[str, ...] = ("fp32", "fp64")
    file_settings: tuple[str, ...] = ()
    reads: Callable[[Objective, S], Sequence[Path]] | None = None
    second_checkpoint: str = ""
    reference: str = ""
    adapts: tuple[str, ...] = ()
    has_defaults_in_report: bool = False
    on_screen: Callable[[S, Collection[str]], S] | None = None
    answered_by: Callable[[S, S], S] | None = None
    foreign: str = ""
    examples: tuple[str, ...] = ()

    @property
    def result_type(self) -> type[R]:
        """The class of its results."""
        return cast("type[R]", getattr(self._room("result"), self.result))

    def compute(
        self,
        objective: Objective,
        settings: S | None = None,
        context: RunContext | None = None,
        **keywords: Any,
    ) -> R:
        """Measure ``objective`` and label the result with its settings and provenance.

        Args:
            objective: the loss to measure.
            settings: what to measure; the defaults without it.
            context: the processes that share the work, where unfinished work is kept, and who
                watches; alone and in memory without it.
            keywords: what else the analysis takes from Python, such as ``directions`` of a surface.

        Returns:
            The result. Of an analysis that several processes share, those that don't collect it
            get None.

        Raises:
            InputError: if ``objective`` is none.
            NotMeasurableError: if the analysis does not apply to this network or data.
        """
        from analyses.run_context import IN_MEMORY
        from landscape.objective.objective import Objective
        from landscape.runtime.isolation import isolated

        if not isinstance(objective, Objective):
            raise InputError(
                f"expected an Objective(model, data), got {type(objective).__name__}; "
                f"{self.name}.of(model, data) makes one"
            )
        settings = settings or self.settings()
        started = time.perf_counter()
        measure = self._room("measure").measure
        with isolated():
            result = measure(objective, settings, context or IN_MEMORY, **keywords)
        if result is None:
            return cast("R", None)
        return cast(
            "R",
            dataclasses.replace(
                result,
                label=objective.label,
                settings=settings,
                provenance=objective.provenance(time.perf_counter() - started),
            ),
        )

    def compute_run(self, path: Path, label: str, settings: S | None = None) -> R:
        """Read what an analysis of runs takes from a run directory, labelled.

        Raises:
            InputError: if ``path`` is no run, or a run that lacks what is asked for.
        """
        measure_run = self._room("measure").measure_run
        return cast("R", measure_run(path, label, settings or self.settings()))

    def of(self, model: Any, data: Any, **keywords: Any) -> R:
        """Measure ``model`` on ``data`` in one call.

        Args:
            model: any torch module.
            data: a pair of tensors (inputs, targets), a Dataset or an iterable of batches.
            keywords: fields of the analysis' Settings, such as ``x=(-1, 1, 51)``; all others are
                those of :class:`landscape.Objective`, such as ``loss`` and ``device``.

        Raises:
            InputError: if a keyword is neither.

        Example:
            >>> from analyses import surface
            >>> surface.of(model, data, x=(-1, 1, 51), y=(-1, 1, 51)).plot()
        """
        from landscape.objective.objective import Objective

        names = {field.name for field in dataclasses.fields(cast("Any", self.settings))}
        chosen = {key: value for key, value in keywords.items() if key in names}
        rest = {key: value for key, value in keywords.items() if key not in names}
        for key in rest.keys() - inspect.signature(Objective).parameters.keys():
            raise InputError(
                f"{self.name}.of takes no {key}; its settings are {', '.join(sorted(names))}, and "
                "what else it takes is an Objective's"
            )
        return self.compute(Objective(model, data, **rest), self.settings(**chosen))

    def tabulate(self, results: Sequence[R]) -> dict[str, Rows]:
        """The report's tables by caption, each a list of rows by column.

        Replicates have a row together, of means and standard deviations. All rows of a table have
        the same columns.
        """
        from analyses.replicate_rows import average_replicates, with_same_columns

        tables = cast("dict[str, Rows]", self._room("tables").tabulate(results))
        return with_same_columns(average_replicates(tables, results))

    def draw(self, results: Sequence[R], options: PlotOptions | None = None) -> dict[str, Figure]:
        """The pictures of all results together, by file name."""
        return cast("dict[str, Figure]", self._room("figures").draw(results, options))

    def read_foreign(self, path: Path, label: str) -> R | None:
        """A result file of another tool as a result of this analysis; None if it is not one."""
        if not self.foreign:
            return None
        reader = self._room(self.foreign)
        return cast("R", reader.read(path, label)) if reader.can_read(path) else None

    def public_name(self, name: str) -> Any:
        """The Result class by its name, for the package's ``__getattr__``."""
        if name == self.result:
            return self.result_type
        raise AttributeError(f"module {self.package!r} has no attribute {name!r}")

    def _room(self, name: str) -> ModuleType:
        return import_module(f"{self.package}.{name}")
