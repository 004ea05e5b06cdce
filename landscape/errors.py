"""Every error this project raises on purpose.

    LandscapeError
    ├── InputError              what was given is wrong: the command line exits with 2
    │   └── NotMeasurableError  this analysis makes no sense for this model; others may
    ├── DivergenceError         training reached a loss that is not finite: exit 1
    └── SaveError               a file can't be written; the one before it is intact: exit 1

A message is one line for the person at the terminal: what was expected, what came, what to do.
"""


class LandscapeError(Exception):
    """Base class: catch this to catch everything the project raises on purpose."""


class InputError(LandscapeError):
    """The command line, a file, a model or a data set is not what it has to be."""


class NotMeasurableError(InputError):
    """An analysis does not apply to a model: no activations, fewer parameters than asked for."""


class DivergenceError(LandscapeError):
    """The training loss became nan or inf."""


class SaveError(LandscapeError):
    """A file can't be written, as on a full disk; what it was to replace is intact."""
