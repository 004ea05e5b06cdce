"""What is trained and measured: the networks, their settings, and two sizes of it all."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.paper.photographs import prepare_photographs

# 16 patches of 8x8 pixels. The sizes are small enough for a laptop, and far larger than what a
# thousand pictures determine: about 150,000 parameters each, 78,000 of the ResNet.
VIT = "--model vit --model-args patch_size=8 dim=64 depth=4 heads=4 mlp_dim=128"
MIXER = "--model mixer --model-args patch_size=8 dim=64 depth=4 token_dim=32 channel_dim=256"
RESNET = "--model resnet-tiny"
# As in the paper, AdamW with clipping for ViT and Mixer, SGD for the ResNet in fewer epochs.
ADAMW = "--opt adamw --lr 0.001 --weight-decay 0.1 --clip 1"
SGD = "--opt sgd --lr 0.05 --weight-decay 0.0005"
CROPS = "--augment crop-flip"
STRONG = "--augment crop-flip --randaugment 2 9 --mixup 0.2"


@dataclass(frozen=True)
class Network:
    """A network under its label.

    Attributes:
        label: in tables and pictures.
        flags: of its training.
        rho: the radius of SAM; 0 without.
        epochs: of its training at the full size.
    """

    label: str
    flags: str
    rho: float
    epochs: int

    @property
    def passes(self) -> int:
        """Forward and backward passes of a training, in epochs."""
        return self.epochs * (2 if self.rho else 1)


# The radii come out of the search (search.py), which used another seed and other held-out pictures.
NETWORKS = (
    Network("vit", f"{VIT} {ADAMW} {CROPS}", 0.0, 200),
    Network("vit-sam", f"{VIT} {ADAMW} {CROPS}", 0.2, 200),
    Network("mixer", f"{MIXER} {ADAMW} {CROPS}", 0.0, 200),
    Network("mixer-sam", f"{MIXER} {ADAMW} {CROPS}", 0.4, 200),
    Network("resnet", f"{RESNET} {SGD} {CROPS}", 0.0, 80),
    Network("resnet-sam", f"{RESNET} {SGD} {CROPS}", 0.1, 80),
    Network("vit-aug", f"{VIT} {ADAMW} {STRONG}", 0.0, 200),
    Network("vit-aug-sam", f"{VIT} {ADAMW} {STRONG}", 0.1, 200),
)
# One seed of these is released: one network of each kind without and with SAM.
RELEASED = tuple(network.label for network in NETWORKS if "aug" not in network.label)

# The paper's figures, and spectra: the folder, the analysis that draws it, and of which networks.
FIGURES = {
    "figure-1": ("surface", RELEASED),
    "spectra": ("hessian", RELEASED),
    "figure-3": ("attention", ("vit", "vit-sam")),
    "figure-5": ("surface", ("vit", "vit-sam", "vit-aug", "vit-aug-sam")),
}


@dataclass(frozen=True)
class Scale:
    """How large the benchmark is.

    Attributes:
        name: of the folders it works in.
        seeds: of the trainings.
        training: training pictures of each class.
        validation: the first and the last but one of the held-out pictures of each class that are
            classified after every epoch.
        held_out: likewise, of those that accuracies are measured on.
        measuring: the flags of ``landscape-plot report``.
        share: of the epochs at full size; and about of the time.
    """

    name: str
    seeds: tuple[int, ...]
    training: int
    validation: tuple[int, int]
    held_out: tuple[int, int]
    measuring: str
    share: float = 1.0

    @property
    def runs(self) -> Path:
        """Where the trainings are."""
        return Path("checkpoints") / self.name

    @property
    def figures(self) -> Path:
        """Where results and pictures are."""
        return Path("figures") / self.name

    @property
    def released(self) -> Path:
        """Where the runs to hand on are."""
        return self.runs / "released"

    @property
    def released_figures(self) -> Path:
        """Where the results of these are."""
        return self.figures / "released"

    @property
    def photographs(self) -> Path:
        """Where the photographs are that networks are trained with."""
        return self.runs / "photographs" / "training"

    @property
    def measured_photographs(self) -> Path:
        """Where the photographs are that networks are measured on: other held-out ones."""
        return self.runs / "photographs" / "measuring"

    def prepare(self, source: Path) -> str:
        """Put the photographs there; returns in words where they come from."""
        training = (0, self.training)
        folders = {
            self.photographs: {"train": training, "test": self.validation},
            self.measured_photographs: {"train": training, "test": self.held_out},
        }
        return prepare_photographs(source, folders)

    def training_of(self, network: Network, seed: int) -> str:
        """The command that trains a network."""
        epochs = max(1, round(self.share * network.epochs))
        return (
            f"landscape-train {network.flags} --rho {network.rho:g} --epochs {epochs} -b 64 "
            f"--seed {seed} --data cifar10 --data-dir {self.photographs} --device cpu "
            f"--output-dir {self.run(network, seed)} --quiet"
        )

    def run(self, network: Network, seed: int) -> Path:
        """The run directory of a network."""
        return self.runs / network.label / f"seed-{seed}"

    def results(self, analysis: str, labels: Iterable[str]) -> Iterator[str]:
        """The results of the first seed, as words LABEL=FILE."""
        for label in labels:
            yield f"{label}={self.figures / label / f'seed-{self.seeds[0]}' / analysis}.h5"

    def networks(self) -> Iterator[tuple[Network, int]]:
        """Every network with each seed; a seed is finished before the next one begins."""
        for seed in self.seeds:
            for network in NETWORKS:
                yield network, seed


# What the paper measures. Recursion, mini-batches, similarity and lines would take as long again.
ANALYSES = "surface,hessian,curves,ntk,flatness,norms,sparsity,attention,linearity,robustness"
# L^N is the loss under noise that all weights get alike. Corruptions: one of each of the four
# groups of ImageNet-C. No attacks, which the paper has for other trainings.
COMMON = (
    f"--only {ANALYSES} --noise fixed --radii 0 --adaptive-radii 0 --linf-radii 0 "
    "--corruptions gaussian_noise,defocus_blur,fog,contrast --attack-radius "
    "--test-samples 0 --device cpu"
)

# The search validated on the pictures 0 to 199 of each class of the test split.
FULL = Scale(
    name="paper",
    seeds=(0, 1, 2, 3, 4),
    training=100,
    validation=(200, 300),
    held_out=(300, 500),
    measuring=(
        f"{COMMON} --samples 512 --x=-1:1:15 --y=-1:1:15 --top 1 --probes 1 --density-steps 20"
    ),
)
QUICK = Scale(
    name="paper-quick",
    seeds=(0,),
    training=20,
    validation=(200, 210),
    held_out=(300, 320),
    measuring=f"{COMMON} --samples 64 --x=-1:1:7 --y=-1:1:7 --top 1 --probes 1 --density-steps 20",
    share=0.05,
)
