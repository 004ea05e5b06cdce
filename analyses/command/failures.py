"""What could not be measured and why, while a command goes on with the rest."""

import gc
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from analyses.report.failed import SharedReason
from landscape.errors import IncompleteError, InputError, LandscapeError, SaveError, reason_of
from landscape.runtime.console import DEBUG_HINT, show_traceback

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """Why an analysis of a checkpoint failed.

    Attributes:
        label: of the checkpoint.
        analysis: its name.
        reason: one line.
        hint: where a traceback would help, how to get it.
        is_input: whether the input is to blame, rather than the work.
        is_expected: whether it does not apply to such a checkpoint, which is no mistake.
    """

    label: str
    analysis: str
    reason: str
    hint: str
    is_input: bool
    is_expected: bool


class Failures:
    """Keeps the errors of single measurements, so that the others go on.

    The errors themselves are let go of: their tracebacks hold models and data in memory.

    Args:
        debug: whether to show the traceback of each.
        keeps: whether errors are kept; otherwise they are raised, as where there is nothing else
            to go on with.
    """

    def __init__(self, *, debug: bool = False, keeps: bool = True) -> None:
        self._all: list[Failure] = []
        self.keeps = keeps
        self._debug = debug

    @property
    def members(self) -> list[Failure]:
        """Those that are not expected."""
        return [failure for failure in self._all if not failure.is_expected]

    @property
    def reasons(self) -> dict[tuple[str, str], str]:
        """Every reason by label and analysis, also of what is expected."""
        return {(failure.label, failure.analysis): failure.reason for failure in self._all}

    @contextmanager
    def kept(
        self,
        label: str,
        analyses: Sequence[str],
        is_expected: Callable[[Exception], bool] = lambda _: False,
    ) -> Iterator[None]:
        """Keep an error of the block as that of these analyses.

        A user's code may end the program by ``sys.exit()``, which is an error like others here.
        A result that can't be saved is raised: the next one could not be saved either.
        """
        failed = False
        try:
            yield
        except SaveError:
            raise
        except (Exception, SystemExit) as error:
            expected = isinstance(error, Exception) and is_expected(error)
            if not (expected or self.keeps):
                raise
            failed = True
            self._add(error, label, analyses, expected)
        if failed:
            gc.collect()  # what the error held, before memory is needed again

    @contextmanager
    def kept_of_all(self, labels: Sequence[str], analysis: str) -> Iterator[None]:
        """Keep an error of the block, which shows results of one analysis, as that of all of them.

        It is kept in any case: a single process shows results, and no other waits for it. Options
        that results can't be shown with are wrong for the whole command.
        """
        try:
            yield
        except (SaveError, InputError):
            raise
        except (Exception, SystemExit) as error:
            for label in dict.fromkeys(labels):
                self._add(error, label, [analysis], False)

    def _add(
        self, error: BaseException, label: str, analyses: Sequence[str], is_expected: bool
    ) -> None:
        if self._debug and not is_expected:
            show_traceback(error)
        reason, is_input = reason_of(error), isinstance(error, InputError)
        hint = "" if isinstance(error, LandscapeError) else DEBUG_HINT
        self._all += [
            Failure(label, name, reason, hint, is_input, is_expected) for name in analyses
        ]
        names = ", ".join(analyses)
        if is_expected:
            LOGGER.info(f"{label}: no {names}: {reason}")
        else:
            LOGGER.info(f"{label}: {names} failed: {reason}")

    def relabelled(self, labels: Mapping[str, str]) -> "Failures":
        """The same under new ``labels``, by the old ones; those that are not there stay."""
        renamed = Failures(debug=self._debug, keeps=self.keeps)
        renamed._all = [
            replace(failure, label=labels.get(failure.label, failure.label))
            for failure in self._all
        ]
        return renamed

    def shared_reasons(self) -> list[SharedReason]:
        """The failures that are not expected, together where reason and analyses are the same."""
        analyses: dict[tuple[str, str], list[str]] = {}
        for failure in self.members:
            analyses.setdefault((failure.reason, failure.label), []).append(failure.analysis)
        together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for (reason, label), names in analyses.items():
            together.setdefault((reason, tuple(names)), []).append(label)
        return [
            SharedReason(tuple(members), names, reason)
            for (reason, names), members in together.items()
        ]

    def raise_any(self, *, is_all: bool = False) -> None:
        """Raise the error that says what failed, if anything did.

        Args:
            is_all: whether everything failed that was asked for. It is wrong input, if all of it
                was.

        Raises:
            LandscapeError: with a line for each reason.
        """
        if not self.members:
            return
        is_input = is_all and all(failure.is_input for failure in self.members)
        hints = {failure.reason: failure.hint for failure in self.members}
        if is_input and len(hints) == 1:
            raise InputError(self.members[0].reason)
        lines = [
            f"{', '.join(shared.labels)}: {', '.join(shared.analyses)} failed: {shared.reason}"
            f"{hints[shared.reason]}"
            for shared in self.shared_reasons()
        ]
        raise IncompleteError(lines, is_input=is_input)
