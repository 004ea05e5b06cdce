"""Pages rendered from templates."""

from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from analyses.generated import MARK

# With it the browser refuses every request to the network. Plotly needs unsafe-eval, because it
# compiles the wrappers of its shaders.
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
    """Fill in a template of analyses/formats/templates; ``values`` are escaped in HTML."""
    return _ENVIRONMENT.get_template(template).render(values, mark=MARK)
