"""The setting that names the saved epochs of a training, which several questions have."""

from typing import Any

from landscape.runtime.options import option


def epochs_option() -> Any:
    """The field ``epochs``, of type tuple[str, ...], and the flag ``--epochs``."""
    return option(
        (),
        "files or folders of the saved epochs, or a pattern of them in quotes, such as "
        "'run/**/epoch=*.ckpt', in the order of the epochs or steps that the names say; without it "
        "those of the run, or what lies beside another tool's CHECKPOINT under such a name",
        parse=str,
        nargs="+",
        metavar="PATTERN|FILE",
    )


def as_words(epochs: Any) -> tuple[str, ...]:
    """One pattern, as it may be given from Python, or several words, as a tuple."""
    if isinstance(epochs, str):
        return (epochs,) if epochs else ()
    return tuple(map(str, epochs))
