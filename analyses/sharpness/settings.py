"""The saved epochs at which sharpness is measured."""

from dataclasses import dataclass

from landscape.runtime.options import option


@dataclass(frozen=True)
class Settings:
    """Which of the saved epochs are measured."""

    epochs: tuple[str, ...] = option(
        (),
        "files or folders of the saved epochs, or a pattern of them in quotes, such as "
        "'run/**/epoch=*.ckpt', in the order of the epochs or steps that the names say; without it "
        "those of the run, or what lies beside another tool's CHECKPOINT under such a name",
        parse=str,
        nargs="+",
        metavar="PATTERN|FILE",
    )
    every: int = option(1, "take every Nth of the saved epochs", metavar="N")
    seed: int = 0

    def __post_init__(self) -> None:
        """Take one pattern from Python as it is."""
        if isinstance(self.epochs, str):
            object.__setattr__(self, "epochs", (self.epochs,) if self.epochs else ())
