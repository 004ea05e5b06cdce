"""The templates of pages, filled in."""

from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

# The browser itself refuses every request to the network. Plotly compiles its shaders' wrappers.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; form-action 'none'"
)

_ENVIRONMENT = Environment(
    loader=PackageLoader("analyses.formats", "templates"),
    autoescape=select_autoescape(["html.j2"]),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render(template: str, **values: Any) -> str:
    """The text of a template in analyses/formats/templates; ``values`` are escaped in HTML."""
    return _ENVIRONMENT.get_template(template).render(values)
