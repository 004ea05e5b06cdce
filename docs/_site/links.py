"""Links between pages as they are in the repository, and as they are on the site."""

import posixpath
import re
from collections.abc import Mapping

# An inline link or picture of Markdown without a scheme: its path and its anchor.
_LINK = re.compile(r"\]\(([^)\s:#]+)(#[^)\s]*)?\)")
_NESTED_ITEM = re.compile(r"^  (?=- )", flags=re.MULTILINE)


def for_site(markdown: str, page: str, on_site: Mapping[str, str]) -> str:
    """Markdown of the repository as the site reads it.

    Args:
        markdown: the text of a page, with links relative to its place in the repository.
        page: that place.
        on_site: the place on the site of each page and picture, by its place in the repository.

    Example:
        >>> for_site("[it](../LICENSE)", "docs/a.md", {"docs/a.md": "a.md", "LICENSE": "b/LICENSE"})
        '[it](b/LICENSE)'
    """

    def moved(link: re.Match[str]) -> str:
        path, anchor = link.groups(default="")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
        if target not in on_site:
            return link[0]  # where it leads nowhere, mkdocs says so
        here = posixpath.dirname(on_site[page])
        return f"]({posixpath.relpath(on_site[target], here or '.')}{anchor})"

    # GitHub nests lists by two spaces, the site's reader of Markdown by four.
    return _NESTED_ITEM.sub("    ", _LINK.sub(moved, markdown))
