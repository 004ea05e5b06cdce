"""Surfaces for pages to turn."""

import json
import re

import numpy as np

from analyses.formats.interactive import write_interactive
from analyses.formats.scene_data import Panel
from tests.browser import ask

LABEL = "train loss (nats)"

# What the scripts of these tests share.
HELP = r"""
const all = selector => [...document.querySelectorAll(selector)];
const plots = all("canvas.plot"), outputs = all("output"), sliders = all("input[type=range]");
const views = () => plots.map(plot => plot.getAttribute("aria-label").split(", seen from ")[1]);
const pictures = () => plots.map(plot => plot.toDataURL());
const texts = () => outputs.map(output => output.textContent);
const press = async (element, ...keys) => {
  for (const key of keys) {
    element.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
  }
  await wait();
};
const point = async (element, kind, x, y) => {
  const box = element.getBoundingClientRect();
  const place = {clientX: box.x + x * box.width, clientY: box.y + y * box.height, pointerId: 1};
  element.dispatchEvent(new PointerEvent(kind, {...place, bubbles: true}));
  await wait();
};
const slide = async (slider, value) => {
  slider.value = value;
  slider.dispatchEvent(new Event("input"));
  await wait();
};
"""
FROM_ABOVE = """await press(plots[0], ..."7".repeat(7), ...Array(13).fill("ArrowUp"),
  ...Array(7).fill("ArrowLeft"));"""  # 7 is no key of the page


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


def flat(title="flat", loss=2.0, **changes):
    """A level surface."""
    return panel(title, path=None, **({"loss": np.full((4, 5), loss)} | changes))


def ask_page(folder, panels, script, *flags, options=None):
    """What a script returns in the page of these surfaces."""
    page(panels, folder, options)
    return ask(folder / "page.html", HELP + script, *flags)
