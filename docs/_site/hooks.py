"""Events of mkdocs: pages that are made at build time, and links as the site needs them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
# mkdocs loads this file by its path; the packages of this repository are imported from here.
sys.path.insert(0, str(ROOT))

from mkdocs.structure.files import File  # noqa: E402

from docs._site import links  # noqa: E402
from docs._site.pages import copied_pages, made_pages, place_of  # noqa: E402

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the generated references and the repository's own pages."""
    for on_site, text in made_pages(ROOT).items():
        files.append(File.generated(config, on_site, content=text))
    for on_site, path in copied_pages().items():
        files.append(File.generated(config, on_site, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """Turn links within the repository into links within the site."""
    on_site = {place_of(file.src_uri, ROOT): file.src_uri for file in files}
    return links.for_site(markdown, place_of(page.file.src_uri, ROOT), on_site)
