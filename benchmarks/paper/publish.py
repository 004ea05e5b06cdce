"""What the benchmark leaves: a page with pictures; on request also in the repository."""

import re
import shutil
import textwrap
from pathlib import Path

from benchmarks.paper.document import Material, claims_summary, write_document
from benchmarks.paper.gallery import RESULTS, fill_gallery
from benchmarks.paper.plan import NETWORKS, RELEASED, Scale
from benchmarks.paper.steps import Journal
from landscape.errors import InputError
from landscape.results.files import make_directory

NAME = "paper-in-miniature"
# The pictures of the page: the name that they get, and where the commands have put them.
PICTURES = {
    "figure-1.png": "figure-1/surface_3d.png",
    "figure-2-curves.png": "curves.png",
    "figure-2-sparsity.png": "sparsity.png",
    "figure-3.png": "figure-3/attention.png",
    "figure-5.png": "figure-5/surface_3d.png",
    "spectra.png": "spectra/hessian.png",
}
ALTERNATIVE = "Loss surfaces of a ViT, trained without and with SAM, on one scale"
_BLOCK = re.compile(rf"(<!-- {NAME}: begin -->\n).*?(<!-- {NAME}: end -->)", re.DOTALL)


def publish(scale: Scale, journal: Journal, origin: str, *, into_repository: bool) -> Path:
    """Write the page beside the figures, or into docs/ with README.md and the gallery.

    Returns:
        The page.
    """
    material = Material.read(scale, journal, origin)
    page = _write_page(material, Path("docs") if into_repository else scale.figures)
    if into_repository:
        _fill_readme(material, Path("README.md"))
        fill_gallery(scale)
    return page


def _write_page(material: Material, folder: Path) -> Path:
    pictures = make_directory(folder / NAME)
    for name, source in PICTURES.items():
        shutil.copyfile(material.scale.figures / source, pictures / name)
    page = folder / f"{NAME}.md"
    write_document(material, page, NAME)
    return page


def _fill_readme(material: Material, readme: Path) -> None:
    """Put what it says about the miniature into README.md, between its two marks."""
    content = readme_block(material)
    text, count = _BLOCK.subn(lambda match: match[1] + content + match[2], readme.read_text())
    if count != 1:
        raise InputError(f"{readme} has to have one block <!-- {NAME}: begin --> ... end -->")
    readme.write_text(text)


def readme_block(material: Material) -> str:
    """What README.md says about the miniature, as Markdown."""
    scale = material.scale
    headline = material.paper["headline"]
    (sharpness,) = (title for title in headline if title.startswith("λ_max"))
    of_all = f" (n = {len(scale.seeds)})"
    cells = {
        network.label: cell.removesuffix(of_all)
        for network, cell in zip(NETWORKS, material.cells(headline[sharpness]), strict=True)
    }
    families = [label for label in RELEASED if not label.endswith("-sam")]
    values = [f"{name} {cells[name]}, with SAM {cells[f'{name}-sam']}" for name in families]
    text = (
        "The surfaces of two of the six small networks that come with the repository, trained on "
        f"{10 * scale.training:,} photographs of CIFAR-10. {sharpness}, mean ± standard deviation "
        f"over {len(scale.seeds)} seeds: {'; '.join(values)}. {claims_summary(material)} Every "
        "number, and why a small case differs from ImageNet: [the paper in "
        f"miniature](docs/{NAME}.md), made by `python -m benchmarks.paper`."
    )
    lines = textwrap.wrap(text, 105, break_on_hyphens=False)
    picture = RESULTS / "surface-vit.png"
    return "\n".join([f"![{ALTERNATIVE}]({picture.as_posix()})", "", *lines, ""])
