"""Where CIFAR-10 and the commands are."""

import os
import sys
from pathlib import Path

# Where CIFAR-10 is looked for.
PLACES = (Path("data"), Path("../shared/data"))


def find_cifar10(given: Path | None) -> Path:
    """The place that was given, or the first of :data:`PLACES` that is there."""
    return given or next((path for path in PLACES if path.exists()), PLACES[0])


def add_commands_to_path() -> None:
    """Let this process start the commands of its installation where that is not activated."""
    commands = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([commands, os.environ.get("PATH", "")])
