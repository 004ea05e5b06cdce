"""Events of mkdocs: pages that are made at build time, and links as the site needs them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
# mkdocs loads this file by its path; the packages of this repository are imported from here.
sys.path.insert(0, str(ROOT))

from mkdocs.structure.files import File  # noqa: E402

from docs._site import links  # noqa: E402
from docs._site.references import REFERENCES  # noqa: E402
from docs._site.sources import source_pages  # noqa: E402

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

# What the site shows of the repository besides docs/, in a folder of its own.
PROJECT = "project"
OF_PROJECT = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "examples/README.md",
    "benchmarks/RESULTS.md",
    "checkpoints/gallery/README.md",
    "figures/gallery/hessian.png",
    "figures/gallery/surface.png",
    "figures/gallery/surface-vit.png",
)


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the generated references and the repository's own pages."""
    for name, page in REFERENCES.items():
        files.append(File.generated(config, f"reference/{name}.md", content=page()))
    for path in OF_PROJECT:
        files.append(File.generated(config, f"{PROJECT}/{path}", abs_src_path=str(ROOT / path)))
    for path, text in source_pages(ROOT).items():
        files.append(File.generated(config, f"{PROJECT}/{path}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """Turn links within the repository into links within the site."""
    on_site = {_place(file.src_uri): file.src_uri for file in files}
    return links.for_site(markdown, _place(page.file.src_uri), on_site)


def _place(on_site: str) -> str:
    """The place in the repository of what the site has, which generated pages are taken to have."""
    if not on_site.startswith(f"{PROJECT}/"):
        return f"docs/{on_site}"
    place = on_site.removeprefix(f"{PROJECT}/")
    return place if (ROOT / place).exists() else place.removesuffix(".md")
