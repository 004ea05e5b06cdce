"""Surfaces for pages to turn."""

import json
import re

import numpy as np

from analyses.formats.interactive import write_interactive
from analyses.formats.scene_data import Panel

LABEL = "train loss (nats)"


def panel(title="SGD", nx=5, ny=4, factor=1.0, **changes):
    """A surface that grows along x, then along y, from a loss of 1.1 times the factor."""
    x, y = np.linspace(-1.0, 1.0, nx), np.linspace(-0.5, 1.0, ny)
    growing = factor * (0.1 + np.arange(1.0, nx * ny + 1).reshape(ny, nx) ** 2)
    loss = changes.get("loss", growing)
    path = np.array([[0.5, 0.75, 900.0], [0.25, 0.1, 3.0], [0.0, 0.0, 0.05]])
    given = {"x": x, "y": y, "loss": loss, "accuracy": 100 - loss / 10, "path": path}
    return Panel(title, **(given | {"stderr": 0.05 * loss} | changes))


def page(panels, folder, options=None, label=LABEL):
    """The text of the page of these surfaces, and the data in it."""
    path = folder / "page.html"
    assert write_interactive(panels, path, label=label, options=options) == path
    text = path.read_text(encoding="utf-8")
    (data,) = re.findall(
        r'<script type="application/json" id="content">(.*?)</script>', text, flags=re.DOTALL
    )
    return text, json.loads(data)
