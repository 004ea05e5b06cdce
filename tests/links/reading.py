"""Links in pages of Markdown: which there are, and which lead nowhere.

A page is read twice: in the repository, where links are to files and anchors are GitHub's, and on
the site, where mkdocs has other links, other anchors and fewer files.
"""

import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from docs._site import links
from docs._site.pages import copied_pages, made_pages, place_of

READER = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Pages:
    """The pages of a repository and those of its site.

    Attributes:
        root: the repository.
        on_site: the place on the site of every file that it has, by its place in the repository.
        made: the Markdown of pages of the site that no file holds, by the place that they are
            taken to have in the repository.
    """

    root: Path
    on_site: Mapping[str, str]
    made: Mapping[str, str]

    def text(self, place: str) -> str:
        """The Markdown of a page, with links of the repository."""
        return self.made.get(place) or (self.root / place).read_text(encoding="utf-8")


def read_pages(root: Path, excluded: frozenset[str]) -> Pages:
    """The pages of this repository.

    Args:
        root: the repository.
        excluded: files and folders of docs/ that are not on the site.
    """
    files = [path.relative_to(root / "docs") for path in (root / "docs").rglob("*")]
    places = [
        path.as_posix()
        for path in files
        if (root / "docs" / path).is_file() and path.parts[0] not in excluded
    ]
    made = made_pages(root)
    return Pages(
        root,
        {place_of(place, root): place for place in [*places, *copied_pages(), *made]},
        {place_of(place, root): text for place, text in made.items()},
    )


def links_of(markdown: str) -> Iterator[str]:
    """Where the links and pictures of a text lead, without those that have a scheme."""
    for token in _tokens(markdown):
        target = token.attrGet("href") or token.attrGet("src")
        if target is not None and not re.match(r"[a-z]+:", str(target)):
            yield str(target)


def broken_in_repository(place: str, pages: Pages) -> list[str]:
    """The links of a page that lead to no file or no heading of the repository."""
    broken = []
    for link in links_of(pages.text(place)):
        path, _, anchor = link.partition("#")
        target = _resolved(place, path)
        if target not in pages.made and not (pages.root / target).exists():
            broken.append(f"{link}: there is no {target}")
        elif anchor and anchor not in _anchors(target, pages, of_github):
            broken.append(f"{link}: {target} has no heading {anchor}")
    return broken


def broken_on_site(place: str, pages: Pages) -> list[str]:
    """The links of a page of the site that lead to nothing on the site."""
    places = {on_site: place for place, on_site in pages.on_site.items()}
    broken = []
    for link in links_of(links.for_site(pages.text(place), place, pages.on_site)):
        path, _, anchor = link.partition("#")
        target = _resolved(pages.on_site[place], path)
        if path.startswith("/") or target not in places:
            broken.append(f"{link}: the site has no {target}")
        elif anchor and anchor not in _anchors(places[target], pages, of_python_markdown):
            broken.append(f"{link}: {target} has no heading {anchor}")
    return broken


def of_github(title: str, count: int) -> str:
    """The anchor of a heading on GitHub; ``count`` is how many before have the same one."""
    anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
    return f"{anchor}-{count}" if count else anchor


def of_python_markdown(title: str, count: int) -> str:
    """The anchor of a heading on the site."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    anchor = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())
    return f"{anchor}_{count}" if count else anchor


def _anchors(place: str, pages: Pages, named: Callable[[str, int], str]) -> set[str]:
    """The anchors of a page, those of Python's names on a page of the reference among them."""
    if not (place in pages.made or place.endswith(".md")):
        return set()
    text = pages.text(place)
    anchors = set(re.findall(r"^::: (\S+)$", text, flags=re.MULTILINE))
    tokens = READER.parse(text)
    counts: dict[str, int] = {}
    for opening, inline in zip(tokens, tokens[1:], strict=False):
        if opening.type == "heading_open":
            title = "".join(token.content for token in inline.children or ())
            first = named(title, 0)
            anchors.add(named(title, counts.get(first, 0)))
            counts[first] = counts.get(first, 0) + 1
    return anchors


def _resolved(place: str, path: str) -> str:
    """The place that a relative link leads to; the page itself where it is an anchor alone."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(place), path)) if path else place


def _tokens(markdown: str) -> Iterator[Token]:
    for token in READER.parse(markdown):
        yield token
        yield from token.children or ()
