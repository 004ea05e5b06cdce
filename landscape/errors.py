"""Every error this project raises on purpose.

    LandscapeError
    ├── InputError              the input is wrong: the command exits with 2
    │   └── NotMeasurableError  an analysis is undefined for this model; others may be defined
    ├── DivergenceError         a loss of a training is not finite: exit 1
    ├── InUseError              another process writes to the same place: exit 1
    └── SaveError               a file can't be written; the previous one is intact: exit 1

A message is one line for the user: what was expected, what came, what to do.
"""


class LandscapeError(Exception):
    """Base class: catch this to catch everything the project raises on purpose."""


class InputError(LandscapeError):
    """The command line, a file, a model or a data set is not as required."""


class NotMeasurableError(InputError):
    """An analysis is undefined for a model, which may have no activations or too few parameters."""


class DivergenceError(LandscapeError):
    """The training or validation loss is not finite."""


class InUseError(LandscapeError):
    """Another process writes to the same place, of which nothing was touched."""


class SaveError(LandscapeError):
    """A file can't be written, as on a full disk; the file that it was to replace is intact."""
