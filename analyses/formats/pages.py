"""Pages rendered from templates, in which every value is escaped, in HTML and in Markdown."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from analyses.generated import MARK
from landscape.results.files import replacing
from landscape.runtime.visible_text import for_markdown, markdown_code

# With it the browser refuses every request to the network.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; form-action 'none'"
)

_MARKDOWN = ".md.j2"


def _escaped_markdown(value: Any) -> Markup:
    """What a Markdown template puts in the place of a value; the text of a macro stays."""
    return value if isinstance(value, Markup) else Markup(for_markdown(value))


def _environment(**options: Any) -> Environment:
    return Environment(
        loader=PackageLoader("analyses.formats", "templates"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )


_ENVIRONMENT = _environment(autoescape=select_autoescape(["html.j2"]))
# What is Markup already, as the output of a macro, is not escaped: so with autoescape, whose own
# escaping, for HTML, comes after ``finalize`` and leaves Markup alone.
_MARKDOWN_ENVIRONMENT = _environment(autoescape=True, finalize=_escaped_markdown)
_MARKDOWN_ENVIRONMENT.filters["code"] = lambda value: Markup(markdown_code(value))


def render(template: str, **values: Any) -> str:
    """Fill in a template of analyses/formats/templates.

    ``values`` are escaped in HTML and in Markdown; ``value | code`` is a code span of Markdown.
    """
    environment = _MARKDOWN_ENVIRONMENT if template.endswith(_MARKDOWN) else _ENVIRONMENT
    return environment.get_template(template).render(values, mark=Markup(MARK))


def write_text(page: str, path: Path) -> Path:
    """Write a page, with an escape for what can't be encoded: a label may be any folder's name."""
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    return path
