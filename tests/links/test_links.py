"""Every link of a page leads somewhere, in the repository and on the site; mkdocs is not needed."""

from fnmatch import fnmatch
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.links.reading import (
    Pages,
    broken_in_repository,
    broken_on_site,
    links_of,
    of_github,
    of_python_markdown,
    read_pages,
)

ROOT = Path(__file__).parents[2]
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
EXCLUDED = frozenset(pattern.strip("/") for pattern in SITE["exclude_docs"].split())
PAGES = read_pages(ROOT, EXCLUDED)
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
) + ["checkpoints/README.md", "checkpoints/gallery/README.md", "figures/README.md"]


def test_there_is_something_to_check():
    assert len(FILES) > 60
    assert sum(len(list(links_of(PAGES.text(place)))) for place in FILES) > 200
    assert len(set(FILES) & set(PAGES.on_site)) > 60


@pytest.mark.parametrize("place", FILES)
def test_links_lead_to_files_and_headings_of_the_repository(place):
    assert broken_in_repository(place, PAGES) == []
    for link in links_of(PAGES.text(place)):
        if link.endswith(".png"):
            picture = (ROOT / place).parent / link
            assert picture.read_bytes().startswith(b"\x89PNG"), link


@pytest.mark.parametrize("place", sorted({*FILES, *PAGES.made} & set(PAGES.on_site)))
def test_links_lead_to_pages_and_headings_of_the_site(place):
    assert broken_on_site(place, PAGES) == []


def test_every_page_is_in_the_navigation():
    """As mkdocs has it, which fails otherwise."""
    listed = list(_pages_of(SITE["nav"]))
    assert len(listed) == len(set(listed))
    pages = {place for place in PAGES.on_site.values() if place.endswith(".md")}
    left_out = [pattern.lstrip("/") for pattern in SITE["not_in_nav"].split()]
    expected = {page for page in pages if not any(map(partial(fnmatch, page), left_out))}
    assert expected <= set(listed) <= pages


def _pages_of(entries):
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            if isinstance(value, list):
                yield from _pages_of(value)
            else:
                yield value


B = """\
# A title: `code` & *more*

## Twice

## Twice

```
# no heading
[no link](none.md)
```
"""


@pytest.fixture
def planted(tmp_path):
    """What is broken on a page docs/deep/a.md of this text: in the repository, and on the site."""
    files = {
        "docs/b.md": B,
        "docs/deep/p.png": "",
        "docs/_site/hidden.md": "# Hidden\n",
        "LICENSE": "",
        "landscape/errors.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def broken(text):
        (tmp_path / "docs" / "deep" / "a.md").write_text(text)
        on_site = {
            "docs/deep/a.md": "deep/a.md",
            "docs/b.md": "b.md",
            "docs/deep/p.png": "deep/p.png",
            "docs/reference/made.md": "reference/made.md",
            "LICENSE": "project/LICENSE.md",
        }
        made = {"docs/reference/made.md": "# Made\n\n::: landscape.SAM\n", "LICENSE": "# LICENSE\n"}
        pages = Pages(tmp_path, on_site, made)
        return broken_in_repository("docs/deep/a.md", pages), broken_on_site(
            "docs/deep/a.md", pages
        )

    return broken


GOOD = """\
# Here

[b](../b.md) [twice](../b.md#twice) ![p](p.png) [licence](../../LICENSE) [here](#here)
[made](../reference/made.md) [name](../reference/made.md#landscape.SAM) [web](https://e.org/x.md#y)

    [in code](none.md)
"""


def test_links_that_lead_somewhere_are_not_broken(planted):
    assert planted(GOOD) == ([], [])


@pytest.mark.parametrize(
    ("text", "in_repository", "on_site"),
    [
        ("[x](none.md)", "none.md: there is no docs/deep/none.md", "the site has no deep/none.md"),
        ("![x](none.png)", "there is no docs/deep/none.png", "the site has no deep/none.png"),
        ("[x](b.md)", "there is no docs/deep/b.md", "the site has no deep/b.md"),
        ("[x](../b.md#thrice)", "docs/b.md has no heading thrice", "b.md has no heading thrice"),
        ("[x](../b.md#no-heading)", "has no heading no-heading", "has no heading no-heading"),
        ("[x](#there)", "a.md has no heading there", "a.md has no heading there"),
        ("[x](../../LICENSE#mit)", "LICENSE has no heading mit", "has no heading mit"),
        ("[x](../reference/made.md#landscape.S)", "no heading landscape.S", "no heading land"),
        ("[x][r]\n\n[r]: ../none.md", "there is no docs/none.md", "the site has no none.md"),
        ("| a |\n|---|\n| [x](none.md) |", "no docs/deep/none.md", "no deep/none.md"),
        # In the repository, and not on the site.
        ("[x](../../landscape/errors.py)", "", "the site has no ../landscape/errors.py"),
        ("[x](../../landscape)", "", "the site has no ../landscape"),
        ("[x](../_site/hidden.md)", "", "the site has no _site/hidden.md"),
        ("[x](..)", "", "..: the site has no ."),
        # Anchors that GitHub and the site call by different names.
        ("[x](../b.md#twice-1)", "", "b.md has no heading twice-1"),
        ("[x](../b.md#twice_1)", "docs/b.md has no heading twice_1", ""),
        ("[x](../b.md#a-title-code--more)", "", "no heading a-title-code--more"),
    ],
)
def test_a_broken_link_of_each_kind_is_found(planted, text, in_repository, on_site):
    for broken, said in zip(planted(text), (in_repository, on_site), strict=True):
        if said:
            (message,) = broken
            assert said in message
        else:
            assert broken == []


def test_a_link_from_the_top_of_the_site_is_found(planted):
    assert planted("[x](/b.md)")[1] == ["/b.md: the site has no /b.md"]


@pytest.mark.parametrize(
    ("title", "on_github", "on_site"),
    [
        ("λ_max, and SAM's gap", "λ_max-and-sams-gap", "_max-and-sams-gap"),
        ("A  b - c", "a--b---c", "a-b-c"),
    ],
)
def test_anchors_of_headings(title, on_github, on_site):
    assert of_github(title, 0) == on_github
    assert of_python_markdown(title, 0) == on_site
