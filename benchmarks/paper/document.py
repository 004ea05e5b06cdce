"""The page of the miniature: every number in it comes out of the files that the commands wrote."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyses.report.paper.claims import OUTCOMES
from benchmarks.paper.plan import NETWORKS, Network, Scale
from benchmarks.paper.search import RECORD
from benchmarks.paper.steps import Journal


@dataclass(frozen=True)
class Material:
    """What the page is made from.

    Attributes:
        scale: the size of the benchmark.
        paper: the part of report.json that reads like the paper.
        journal: the steps and their seconds.
        origin: where the photographs come from, in words.
        date: of the measurement.
        samples: how many training pictures curvature was measured on.
    """

    scale: Scale
    paper: Mapping[str, Any]
    journal: Journal
    origin: str
    date: str
    samples: int

    @classmethod
    def read(cls, scale: Scale, journal: Journal, origin: str) -> "Material":
        """Read what the commands wrote."""
        report = json.loads((scale.figures / "report.json").read_text())
        network, seed = next(scale.networks())
        first = scale.figures / network.label / f"seed-{seed}" / "hessian.json"
        made = json.loads(first.read_text())["provenance"]
        date, samples = made["created"][:10], made["num_samples"]
        return cls(scale, report["paper"], journal, origin, date, samples)

    def cells(self, row: Mapping[str, Any]) -> list[Any]:
        """What a row has of each network; a single run is under its own label there."""
        alone = f"/seed-{self.scale.seeds[0]}"
        labels = [network.label for network in NETWORKS]
        return [row.get(label, row.get(label + alone)) for label in labels]

    def values(self, title: str) -> list[float]:
        """The numbers in all rows of the paper's tables that have this title."""
        rows = [rows[title] for rows in self.paper["tables"].values() if title in rows]
        return [run["value"] for row in rows for cell in row.values() for run in cell["runs"]]


def headline_table(material: Material) -> str:
    """The numbers that the report begins with, of each network, as a Markdown table."""
    columns = material.paper["headline"]
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    by_network = zip(*map(material.cells, columns.values()), strict=True)
    for network, cells in zip(NETWORKS, by_network, strict=True):
        lines.append(f"| {network.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def claims_summary(material: Material) -> str:
    """How many claims have each outcome, in a sentence."""
    outcomes = Counter(claim["outcome"] for claim in material.paper["claims"])
    counts = ", ".join(f"{outcomes[word]} {word}" for word in OUTCOMES if outcomes[word])
    return f"Of the paper's {outcomes.total()} claims: {counts}."


def write_document(material: Material, path: Path, pictures: str) -> None:
    """Write the page.

    Args:
        material: what it is made from.
        path: of the page.
        pictures: the folder of its pictures, as seen from there.
    """
    sections = [
        _introduction(material),
        _picture("Figure 1: loss surfaces", pictures, "figure-1.png"),
        "## Five numbers\n\n" + _note(material) + "\n\n" + headline_table(material),
        "## What is supported, contradicted, undecided\n\n"
        + claims_summary(material)
        + "\n\n"
        + _claims(material),
        _why(material),
        "## The paper's tables",
        *(_table(material, caption, rows) for caption, rows in material.paper["tables"].items()),
        "## The paper's figures",
        _picture("Spectra of the Hessian", pictures, "spectra.png"),
        _picture("Figure 2: training curves, every seed", pictures, "figure-2-curves.png"),
        _picture("Figure 2: active neurons, every seed", pictures, "figure-2-sparsity.png"),
        _picture("Figure 3: attention of the class token", pictures, "figure-3.png"),
        _picture(
            "Figure 5: loss surfaces of a ViT, with SAM and strong augmentation",
            pictures,
            "figure-5.png",
        ),
        _settings(),
        _search(),
    ]
    path.write_text("\n\n".join(sections) + "\n")


def _introduction(material: Material) -> str:
    scale = material.scale
    pictures = 10 * scale.training
    held_out = 10 * (scale.held_out[1] - scale.held_out[0])
    minutes = sum(material.journal.seconds.values()) / 60
    count = len(scale.seeds)
    return f"""\
# The paper in miniature

`python -m benchmarks.paper` trains a ViT, a Mixer and a ResNet on {pictures:,} photographs
({material.origin}), each without and with sharpness-aware minimisation (SAM), the ViT also with
strong augmentation, {count} seed{"s" if count > 1 else ""} each, and measures what the paper
measured. This page was made by that command and its `--publish`, of a measurement on
{material.date}; no number of these networks was typed. All commands together took {minutes:.0f}
minutes of one core. Accuracies are of {held_out:,} held-out photographs, curvature and losses of
{material.samples} training pictures. The report with every number is
`{scale.figures}/report.html` after the command."""


def _note(material: Material) -> str:
    count = len(material.scale.seeds)
    return (
        f"Mean ± standard deviation over {count} seeds."
        if count > 1
        else "One seed: value ± the error of its measurement; no spread over trainings is known."
    )


def _claims(material: Material) -> str:
    lines = []
    for claim in material.paper["claims"]:
        lines.append(f"- **{claim['outcome'].capitalize()}**: {claim['claim']} ({claim['where']})")
        lines += [
            f"  - {comparison['verdict']}: {comparison['text']}"
            for comparison in claim["comparisons"]
        ]
    return "\n".join(lines)


def _table(material: Material, caption: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    labels = [network.label for network in NETWORKS]
    lines = [
        f"### {caption}",
        "",
        "| |" + "".join(f" {label} |" for label in labels),
        "|---|" + "---:|" * len(labels),
    ]
    for title, row in rows.items():
        texts = [cell["text"] if cell else "–" for cell in material.cells(row)]
        lines.append(f"| {title} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def _picture(caption: str, folder: str, name: str) -> str:
    return f"![{caption}]({folder}/{name})\n\n*{caption}.*"


def _settings() -> str:
    lines = [
        "## How it was trained",
        "",
        "All in batches of 64, the learning rate after two epochs of warm-up on half a cosine, "
        "with the other settings of `landscape-train` as they are by default.",
        "",
        "| network | ρ | epochs | flags |",
        "|---|---:|---:|---|",
        *(_setting(network) for network in NETWORKS),
    ]
    return "\n".join(lines)


def _setting(network: Network) -> str:
    return f"| {network.label} | {network.rho:g} | {network.epochs} | `{network.flags}` |"


def _search() -> str:
    """Everything that was tried before, from the record of the search."""
    tried = json.loads(RECORD.read_text())
    columns = (
        "network", "training pictures", "epochs", "training error, %", "held-out accuracy, %",
        "held-out loss",
    )  # fmt: skip
    lines = [
        _SEARCH,
        "",
        "| " + " | ".join(columns) + " | L_train | λ_max |",
        "|---|" + "---:|" * (len(columns) + 1),
    ]
    for outcome in tried:
        cells = [outcome[column] for column in columns]
        cells += (outcome["curvature"] or {"loss": "–", "λ_max": "–"}).values()
        words = [f"{cell:,.3g}" if isinstance(cell, float) else f"{cell}" for cell in cells]
        lines.append("| " + " | ".join(words) + " |")
    return "\n".join(lines)


_SEARCH = """\
## What was tried before

`python -m benchmarks.paper.search`, with seed 100 and on held-out pictures that are not those of
this page. Without cropping and flipping (the names without *crops*) SAM raises the accuracy of
ViT and Mixer most; but the networks without SAM then end at a training loss near 0, where
curvature vanishes for that reason alone, which the paper's networks don't. With crops and
thousands of pictures, the epochs that fit into the time are too few to converge, for SAM above
all. A thousand pictures, cropped, for many epochs, and small networks come nearest to the paper's
case: training losses that are low, but not 0. There the larger radii were taken, which keep the
training loss highest.

Not in the table, since they were stopped within ten epochs: ViT and Mixer without crops on 4,000
pictures at a radius of 0.5, and the Mixer with crops on them. And the benchmark itself was begun
with the first seed and without crops on 4,000 pictures: the ViT, with SAM and without, and the
Mixer without. Their accuracies on 2,000 held-out pictures, half of them among those of this page,
and the λ_max of the two without SAM were seen before the settings above were chosen. Trainings
that were stopped on the way had said enough. The four without crops on 4,000 pictures normalised
these to [−1, 1], not by CIFAR-10's mean and deviation."""


def _why(material: Material) -> str:
    scale, sizes = material.scale, material.values("parameters")
    seeds, pictures = len(scale.seeds), 10 * scale.training
    epochs = round(scale.share * NETWORKS[0].epochs)
    return f"""\
## Why a small case may differ

- **The paper's networks see 1.3 million photographs** for 300 epochs and have 60 to 90 million
  parameters. These see {pictures:,} for at most {epochs} and have {min(sizes):,.0f} to
  {max(sizes):,.0f}. None reaches an accuracy that anybody would use.
- **Convolutions are worth more where data are few.** On so few pictures a ResNet is far ahead of a
  ViT or Mixer, with SAM or without; the paper's crossing of the two needs ImageNet.
- **λ_max depends on the training loss.** The Hessian of the cross-entropy of a network that is
  sure of every training picture is small whatever surrounds it. The paper's networks end at
  training losses of 0.45 to 0.97, with SAM and without; where one of these ends at a far lower
  loss than the other, their λ_max differ for that reason, too.
- **Few seeds decide large and steady differences alone**: {seeds} of each leave {seeds - 1} degrees
  of freedom to a paired t, and Holm's correction over all comparisons of the page asks for far
  more than one of them alone would. Undecided is not the same as absent: the intervals in the
  evidence say how large an effect can be."""
