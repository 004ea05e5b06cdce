import json
import re
import sys
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from analyses.formats.interactive import write_interactive
from analyses.formats.scene_figures import Panel
from landscape.errors import InputError, SaveError

LABEL = "train loss (nats)"


def panel(title="SGD", nx=5, ny=4, factor=1.0, **changes):
    x, y = np.linspace(-1.0, 1.0, nx), np.linspace(-0.5, 1.0, ny)
    loss = factor * (0.1 + np.arange(1.0, nx * ny + 1).reshape(ny, nx) ** 2)
    path = np.array([[0.5, 0.75, 900.0], [0.25, 0.1, 3.0], [0.0, 0.0, 0.05]])
    given = {"x": x, "y": y, "loss": loss, "accuracy": 100 - loss / 10, "path": path}
    return Panel(title, **(given | changes))


def page(panels, folder, log=True, label=LABEL):
    path = folder / "page.html"
    assert write_interactive(panels, path, log=log, label=label) == path
    text = path.read_text(encoding="utf-8")
    (data,) = re.findall(
        r'<script type="application/json" id="content">(.*?)</script>', text, flags=re.DOTALL
    )
    return text, json.loads(data)


def numbers(nested):
    return np.array(nested, dtype=np.float64)  # null becomes nan


@pytest.mark.parametrize("log", [True, False])
def test_the_data_are_those_given(log, tmp_path):
    panels = [panel(), panel("SAM", nx=3, ny=7, factor=0.01, accuracy=None, path=None)]
    _, content = page(panels, tmp_path, log)
    shown = {True: "log", False: "linear"}
    assert content["scale"] == shown[log]
    assert len(content["figures"]) == 2
    for number, source in enumerate(panels):
        figure = go.Figure(content["figures"][number])  # plotly refuses what it does not know
        surface = figure.data[0]
        assert surface.type == "surface"
        np.testing.assert_array_equal(surface.x, source.x)
        np.testing.assert_array_equal(surface.y, source.y)
        np.testing.assert_array_equal(surface.z, np.log10(source.loss) if log else source.loss)
        for scale in (True, False):
            heights = content["scales"][shown[scale]]["heights"][number]
            assert len(heights) == len(figure.data)
            truth = np.log10(source.loss) if scale else source.loss
            np.testing.assert_array_equal(numbers(heights[0]), truth)
    curve = content["figures"][0]["data"][-1]
    expected = panels[0].path.T
    np.testing.assert_array_equal(curve["x"], expected[0])
    np.testing.assert_array_equal(curve["y"], expected[1])
    np.testing.assert_array_equal(curve["z"], np.log10(expected[2]) if log else expected[2])


def test_hover_gives_the_loss_on_every_scale(tmp_path):
    source = panel()
    _, content = page([source, panel(accuracy=None)], tmp_path)
    texts = content["figures"][0]["data"][0]["hovertext"]
    assert texts[1][3] == "x 0.5<br>y 0<br>loss 81.1<br>accuracy 91.89 %"
    assert content["figures"][1]["data"][0]["hovertext"][1][3] == "x 0.5<br>y 0<br>loss 81.1"
    assert content["figures"][0]["data"][-1]["hovertext"][1] == (
        "point 1<br>x 0.25<br>y 0.1<br>loss 3"
    )


@pytest.mark.parametrize("log", [True, False])
def test_one_scale_for_all(log, tmp_path):
    panels = [panel(), panel(factor=0.01, path=None)]
    _, content = page(panels, tmp_path, log)
    change = np.log10 if log else np.asarray
    losses = np.concatenate([source.loss.ravel() for source in panels])
    for figure in content["figures"]:
        axis, colours = figure["layout"]["scene"]["zaxis"], figure["layout"]["coloraxis"]
        assert axis["range"] == [change(min(losses.min(), 0.05)), change(900.0)]
        assert [colours["cmin"], colours["cmax"]] == [change(losses.min()), change(losses.max())]
        for tick, text in zip(axis["tickvals"], axis["ticktext"], strict=True):
            assert (10**tick if log else tick) == pytest.approx(float(text))
        assert len(axis["tickvals"]) >= 3
        assert figure["data"][0]["coloraxis"] == "coloraxis"


@pytest.mark.parametrize(
    ("low", "high"), [(2.30, 2.36), (0.1, 3.0), (0.02, 60.0), (4e-4, 40.0), (1e-9, 1e12)]
)
def test_log_ticks_are_enough_and_not_too_many(low, high, tmp_path):
    _, content = page([panel(loss=np.geomspace(low, high, 20).reshape(4, 5), path=None)], tmp_path)
    ticks = content["figures"][0]["layout"]["scene"]["zaxis"]["ticktext"]
    assert 3 <= len(ticks) <= 12
    assert len(set(ticks)) == len(ticks)


def test_the_centre_is_marked_on_the_surface(tmp_path):
    x, y = np.array([-1.0, 1.0, 2.0]), np.array([-3.0, 1.0])
    loss = np.array([[1.0, 3.0, 9.0], [5.0, 7.0, 9.0]])
    _, content = page([panel(x=x, y=y, loss=loss, accuracy=None, path=None)], tmp_path, log=False)
    _, line, mark = content["figures"][0]["data"]
    assert (line["x"], line["y"], line["z"]) == ([0, 0], [0, 0], [1.0, 9.0])
    assert (mark["x"], mark["y"], mark["z"]) == ([0], [0], [5.0])
    _, content = page([panel(x=x + 2, y=y, loss=loss, accuracy=None, path=None)], tmp_path)
    assert len(content["figures"][0]["data"]) == 1


def test_not_finite_losses_are_holes(tmp_path):
    source = panel()
    source.loss[0, 1], source.loss[2, 2] = np.nan, np.inf
    source.path[1, 2] = np.nan
    text, content = page([source], tmp_path)
    surface, *_, curve = content["figures"][0]["data"]
    assert surface["z"][0][1] is surface["z"][2][2] is curve["z"][1] is None
    assert np.isnan(numbers(surface["z"])).sum() == 2
    assert np.isfinite(content["figures"][0]["layout"]["scene"]["zaxis"]["range"]).all()
    assert "Holes: the loss is not finite." in text


@pytest.mark.parametrize("log", [True, False])
def test_no_change_of_scale_where_a_loss_is_not_positive(log, tmp_path):
    source = panel()
    source.loss[0, 1] = -1.0
    text, content = page([source], tmp_path, log)
    assert list(content["scales"]) == ["log" if log else "linear"]
    assert (content["figures"][0]["data"][0]["z"][0][1] is None) == log
    assert "<button" not in text
    assert "<button" in page([panel()], tmp_path, log)[0]


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("value", [np.nan, 2.0, -1.0])
def test_flat_and_empty_surfaces(value, log, tmp_path):
    _, content = page([panel(loss=np.full((4, 5), value), path=None)], tmp_path, log)
    low, high = content["figures"][0]["layout"]["scene"]["zaxis"]["range"]
    assert low < high


def test_nothing_is_loaded_from_elsewhere(tmp_path):
    text, _ = page([panel()], tmp_path)
    assert 'src="http' not in text
    assert not re.search(r"<(?:script|img|iframe)\b[^>]*\ssrc=|<link\b[^>]*\shref=", text[:5000])
    assert re.findall(r"<script([^>]*)>", text)[0] == ""
    assert "default-src 'none'" in text
    assert "plotly.js v" in text


def test_words_are_escaped(tmp_path):
    title, label = "</script><b>&", '<i>"loss" & more'
    text, content = page([panel(title)], tmp_path, label=label)
    assert "<figcaption>&lt;/script&gt;&lt;b&gt;&amp;</figcaption>" in text
    assert "<title>&lt;i&gt;&#34;loss&#34; &amp; more</title>" in text
    assert "<i>" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert "</b>" not in json.dumps(content)


def test_without_plotly_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(InputError) as raised:
        write_interactive([panel()], tmp_path / "page.html", log=True, label=LABEL)
    assert "pip install 'loss-landscape-toolkit[interactive]'" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_page(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old")

    def fail(self, text, **_):
        self.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(SaveError, match="page.html can't be written: disk full; the one that was"):
        write_interactive([panel()], path, log=True, label=LABEL)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_wrong_input_says_so(tmp_path):
    with pytest.raises(InputError, match="at least one surface"):
        write_interactive([], tmp_path / "page.html", log=True, label=LABEL)
    with pytest.raises(InputError, match=r"the loss to have shape \(4, 5\), got \(5, 4\)"):
        panel(loss=np.ones((5, 4)))
    with pytest.raises(InputError, match=r"the accuracy to have shape \(4, 5\), got \(4,\)"):
        panel(accuracy=np.ones(4))
    with pytest.raises(InputError, match=r"\(n, 3\), got \(3, 2\)"):
        panel(path=np.ones((3, 2)))
