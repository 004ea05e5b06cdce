"""What the benchmark leaves: a page with pictures; on request also in the repository."""

import re
import shutil
from pathlib import Path

from benchmarks.paper.document import Material, claims_summary, headline_table, write_document
from benchmarks.paper.gallery import fill_gallery
from benchmarks.paper.plan import Scale
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
    """Put the first picture and the first table into README.md, between its two marks."""
    scale = material.scale
    content = f"""\
![Loss surfaces of six networks on one colour scale](docs/{NAME}/figure-1.png)

{headline_table(material)}

Mean ± standard deviation over {len(scale.seeds)} seeds; small networks trained on
{10 * scale.training:,} photographs of CIFAR-10, on two CPU cores. {claims_summary(material)}
All of it, and why a small case differs from ImageNet, is in
[docs/{NAME}.md](docs/{NAME}.md), which `python -m benchmarks.paper` makes.
"""
    text, count = _BLOCK.subn(lambda match: match[1] + content + match[2], readme.read_text())
    if count != 1:
        raise InputError(f"{readme} has to have one block <!-- {NAME}: begin --> ... end -->")
    readme.write_text(text)
