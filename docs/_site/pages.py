"""What the site shows of the repository besides docs/, and where its pages are from."""

from pathlib import Path

from docs._site.references import REFERENCES
from docs._site.sources import source_pages

# The folder of the site for what is not in docs/.
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


def copied_pages() -> dict[str, str]:
    """Files of the repository, by their place on the site."""
    return {f"{PROJECT}/{path}": path for path in OF_PROJECT}


def made_pages(root: Path) -> dict[str, str]:
    """The Markdown of pages that no file holds, by their place on the site.

    Args:
        root: the repository.
    """
    references = {f"reference/{name}.md": page() for name, page in REFERENCES.items()}
    sources = {f"{PROJECT}/{path}.md": text for path, text in source_pages(root).items()}
    return {**references, **sources}


def place_of(on_site: str, root: Path) -> str:
    """The place in the repository of what the site has, which made pages are taken to have.

    Args:
        on_site: the place on the site.
        root: the repository.

    Example:
        >>> place_of("project/LICENSE.md", Path(".")), place_of("errors.md", Path("."))
        ('LICENSE', 'docs/errors.md')
    """
    if not on_site.startswith(f"{PROJECT}/"):
        return f"docs/{on_site}"
    place = on_site.removeprefix(f"{PROJECT}/")
    return place if (root / place).exists() else place.removesuffix(".md")
