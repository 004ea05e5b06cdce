"""Every error this project raises on purpose.

    LandscapeError
    ├── InputError              the input is wrong: the command exits with 2
    │   └── NotMeasurableError  an analysis is undefined for this model; others may be defined
    ├── IncompleteError         some of what was asked for failed, and the rest is done: exit 1
    ├── DivergenceError         a loss of a training is not finite: exit 1
    ├── InUseError              another process writes to the same place: exit 1
    └── SaveError               a file can't be written; the previous one is intact: exit 1

A message is one line for the user: what was expected, what came, what to do.
"""

from collections.abc import Sequence


class LandscapeError(Exception):
    """Base class: catch this to catch everything the project raises on purpose."""


class InputError(LandscapeError):
    """The command line, a file, a model or a data set is not as required."""


class NotMeasurableError(InputError):
    """An analysis is undefined for a model, which may have no activations or too few parameters."""


class IncompleteError(LandscapeError):
    """Some of what was asked for failed; what did not is finished.

    Attributes:
        lines: A message for each failure.
        is_input: Whether all failed, each for wrong input.
    """

    def __init__(self, lines: Sequence[str], *, is_input: bool = False) -> None:
        super().__init__("; ".join(lines))
        self.lines = tuple(lines)
        self.is_input = is_input


class DivergenceError(LandscapeError):
    """The training or validation loss is not finite."""


class InUseError(LandscapeError):
    """Another process writes to the same place, of which nothing was touched."""


class SaveError(LandscapeError):
    """A file can't be written, as on a full disk; the file that it was to replace is intact."""


def reason_of(error: BaseException) -> str:
    """Why something failed, on one line: an error's message, with its type if it is not ours."""
    message = " ".join(str(error).split())
    if isinstance(error, LandscapeError):
        return message
    if isinstance(error, SystemExit):
        return (
            f"the code of the model, the loss or the data ended the program (sys.exit({message})); "
            "let it raise an error instead"
        )
    kind = type(error).__name__
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError":  # torch's is no MemoryError
        return f"out of memory ({kind}{': ' if message else ''}{message}); take fewer samples"
    return f"{kind}: {message}" if message else kind
