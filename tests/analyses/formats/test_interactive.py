import base64
import io
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import LogNorm, to_hex
from PIL import Image

from analyses.drawing.options import PlotOptions
from analyses.drawing.scales import shared_scale
from analyses.formats.interactive import MOST_SCENES, write_interactive
from landscape.errors import InputError, SaveError
from tests.analyses.formats.panels import LABEL, page, panel

LOG, LINEAR = PlotOptions(scale="log"), PlotOptions(scale="linear")


def numbers(nested):
    return np.array(nested, dtype=np.float64)  # null becomes nan


@pytest.mark.parametrize("options", [LOG, LINEAR])
def test_the_data_are_those_given(options, tmp_path):
    panels = [
        panel(),
        panel("SAM", nx=3, ny=7, factor=np.pi, accuracy=None, path=None, stderr=None, dof=9),
    ]
    _, content = page(panels, tmp_path, options)
    assert content["shown"] == options.scale
    assert len(content["panels"]) == 2
    for shown, source in zip(content["panels"], panels, strict=True):
        np.testing.assert_array_equal(shown["x"], source.x)
        np.testing.assert_array_equal(shown["y"], source.y)
        np.testing.assert_allclose(shown["loss"], source.loss, rtol=1e-8)
    first, second = content["panels"]
    np.testing.assert_allclose(first["stderr"], panels[0].stderr, rtol=1e-3)
    np.testing.assert_allclose(first["accuracy"], panels[0].accuracy, rtol=1e-3)
    np.testing.assert_array_equal(first["path"], panels[0].path)
    assert second["stderr"] is second["accuracy"] is second["path"] is None
    # Two-sided quantiles of 95 % from a table: normal, and Student's t with 9 degrees of freedom.
    assert [first["interval"], second["interval"]] == pytest.approx([1.960, 2.262], abs=5e-4)


@pytest.mark.parametrize(
    "options", [None, LOG, LINEAR, PlotOptions(zmin=0.5, zmax=20.0), PlotOptions(zmax=1e4)]
)
def test_the_scale_is_that_of_the_pictures(options, tmp_path):
    panels = [panel(), panel(factor=0.01, path=None)]
    _, content = page(panels, tmp_path, options)
    colours, levels = shared_scale([source.loss for source in panels], options)
    is_log = isinstance(colours, LogNorm)
    shown = content["scales"][content["shown"]]
    assert shown["log"] == is_log
    ends = np.log10([levels[0], levels[-1]]) if is_log else [levels[0], levels[-1]]
    assert [shown["low"], shown["high"]] == pytest.approx(list(ends))
    for tick, text in shown["ticks"]:
        assert (10**tick if is_log else tick) == pytest.approx(float(text))
    assert len(shown["ticks"]) >= 3
    drawn = [to_hex(colour) for colour in colormaps["viridis"](np.linspace(0, 1, 128))]
    assert content["colours"] == drawn


@pytest.mark.parametrize(
    ("low", "high"), [(2.30, 2.36), (0.1, 3.0), (0.02, 60.0), (4e-4, 40.0), (1e-9, 1e12)]
)
def test_log_ticks_are_enough_and_not_too_many(low, high, tmp_path):
    losses = np.geomspace(low, high, 20).reshape(4, 5)
    _, content = page([panel(loss=losses, path=None)], tmp_path, LOG)
    texts = [text for _, text in content["scales"]["log"]["ticks"]]
    assert 3 <= len(texts) <= 12
    assert len(set(texts)) == len(texts)


def test_what_is_not_finite_is_not_there(tmp_path):
    source = panel(refinement=np.full((4, 5), np.nan))
    source.loss[0, 1], source.loss[2, 2] = np.nan, np.inf
    source.stderr[3, 0] = np.nan
    source.path[1, 2] = np.nan
    source.refinement[1, 1] = 0.02
    text, content = page([source], tmp_path)
    (shown,) = content["panels"]
    np.testing.assert_array_equal(np.isnan(numbers(shown["loss"])), ~np.isfinite(source.loss))
    assert shown["stderr"][3][0] is shown["path"][1][2] is None
    assert shown["refinement"][1] == [None, 0.02, None, None, None]
    assert "Holes: the loss is not finite." in text
    assert "Cut off" not in text
    assert "Holes" not in page([panel()], tmp_path)[0]
    assert "Cut off: losses beyond" in page([panel()], tmp_path, PlotOptions(zmax=50.0))[0]


def test_the_map_without_scripts_has_the_colours_and_holes(tmp_path):
    source = panel(path=None)
    source.loss[0, 1] = np.nan
    text, content = page([source], tmp_path, PlotOptions(scale="log", zmin=1.0, zmax=200.0))
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        pixels = np.array(image)[::-1]  # y upwards
    is_shown = (source.loss >= 1.0) & (source.loss <= 200.0)
    np.testing.assert_array_equal(pixels[..., 3] > 0, is_shown)
    colours = colormaps["viridis"](LogNorm(1.0, 200.0)(source.loss), bytes=True)
    np.testing.assert_array_equal(pixels[is_shown], colours[is_shown])


def test_no_change_of_scale_where_a_loss_is_not_positive(tmp_path):
    source = panel()
    source.loss[0, 1] = -1.0
    text, content = page([source], tmp_path, LOG)
    assert list(content["scales"]) == ["linear"]  # as in the pictures
    assert "class=change" not in text
    options = PlotOptions(zmin=-5.0)
    assert list(page([panel()], tmp_path, options)[1]["scales"]) == ["linear"]
    text, content = page([source], tmp_path, PlotOptions(scale="log", zmin=0.5))
    assert list(content["scales"]) == ["log", "linear"]
    assert "class=change" in text


@pytest.mark.parametrize("options", [LOG, LINEAR])
@pytest.mark.parametrize("value", [np.nan, 2.0, -1.0])
def test_flat_and_empty_surfaces(value, options, tmp_path):
    _, content = page([panel(loss=np.full((4, 5), value), path=None)], tmp_path, options)
    for scale in content["scales"].values():
        assert scale["low"] < scale["high"]
    assert np.shape(content["panels"][0]["loss"]) == (4, 5)


def test_surfaces_beyond_the_most_are_counted(tmp_path):
    panels = [panel(str(number), path=None) for number in range(MOST_SCENES + 3)]
    panels[-1].loss[0, 0] = 0.01  # of one without a scene, yet the scale of the pictures has it
    text, content = page(panels, tmp_path)
    assert len(content["panels"]) == text.count("<canvas class=") - 2 == MOST_SCENES
    assert "3 more surfaces have no scene" in text
    assert content["scales"]["log"]["low"] == pytest.approx(-2.0)
    styles = {(shown["colour"], shown["dash"]) for shown in content["panels"]}
    assert len(styles) == MOST_SCENES


def test_the_page_is_small_and_loads_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    text, _ = page([panel()], tmp_path)
    assert len(text) < 60_000
    addresses = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            addresses.extend(value for name, value in attributes if name in {"src", "href"})

    Reader().feed(text)
    assert addresses
    assert all(address.startswith("data:") for address in addresses)
    assert "http" not in re.sub(r"<meta http-equiv", "", text)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy[1].startswith("default-src 'none';")
    assert "eval" not in policy[1]


def test_words_are_escaped(tmp_path):
    title, label = "</script><b onclick='x'>&\"", '<i>"loss" & more'
    text, content = page([panel(title)], tmp_path, label=label)
    assert "&lt;/script&gt;&lt;b onclick=&#39;x&#39;&gt;&amp;&#34;</figcaption>" in text
    assert "<title>&lt;i&gt;&#34;loss&#34; &amp; more</title>" in text
    assert "<i>" not in text
    assert "<b onclick" not in text
    assert title not in json.dumps(content)


def test_a_failed_write_leaves_the_old_page(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old")

    def fail(self, text, **_):
        self.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(SaveError, match="page.html can't be written: disk full; the one that was"):
        write_interactive([panel()], path, label=LABEL)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_wrong_input_says_so(tmp_path):
    with pytest.raises(InputError, match="at least one surface"):
        write_interactive([], tmp_path / "page.html", label=LABEL)
    with pytest.raises(InputError, match=r"the loss to have shape \(4, 5\), got \(5, 4\)"):
        panel(loss=np.ones((5, 4)))
    with pytest.raises(InputError, match=r"the accuracy to have shape \(4, 5\), got \(4,\)"):
        panel(accuracy=np.ones(4))
    with pytest.raises(InputError, match=r"the stderr to have shape \(4, 5\), got \(4,\)"):
        panel(stderr=np.ones(4))
    with pytest.raises(InputError, match=r"\(n, 3\), got \(3, 2\)"):
        panel(path=np.ones((3, 2)))
