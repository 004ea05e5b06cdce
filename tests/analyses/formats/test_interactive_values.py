"""What the page of surfaces shows in a real browser: numbers, colours, holes and cuts."""

import re

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm

from analyses.drawing.numbers import with_error
from analyses.drawing.options import PlotOptions
from tests.analyses.formats.panels import FROM_ABOVE, ask_page, flat, panel
from tests.browser import needs_chromium

pytestmark = needs_chromium


def test_every_point_is_read_with_its_error_as_in_the_tables(tmp_path):
    losses = np.array(
        [[3.2e-7, 0.0123, 0.9996, 12.5, 99_999.6], [4.5e5, 1.23e8, -0.5, np.nan, 7.0]]
    )
    errors = np.array([[2e-9, 0.0051, 0.00123, 0.0, 3.2], [120.0, 4e5, 0.25, np.nan, np.nan]])
    x, y = np.linspace(-1, 1, 5), np.array([0.0, 1.0])
    refinement = np.full((2, 5), np.nan)
    refinement[0, 3] = 0.0125
    given = {"x": x, "y": y, "loss": losses, "path": None}
    panels = [
        panel(stderr=errors, accuracy=None, refinement=refinement, **given),
        panel("b", stderr=None, accuracy=np.full((2, 5), 97.256), **given),
    ]
    script = """
        const shown = [];
        for (let row = 0; row < 2; row++) for (let column = 0; column < 5; column++) {
          await slide(sliders[0], row);
          await slide(sliders[1], column);
          shown.push(texts());
        }
        return shown;
        """
    shown = ask_page(tmp_path, panels, script)
    for at, (first, second) in enumerate(shown):
        row, column = divmod(at, 5)
        place = f"x {x[column]:g}, y {y[row]:g}: loss "
        loss, error = losses[row, column], errors[row, column]
        text = "not finite" if np.isnan(loss) else with_error(loss, error)
        more = ", refined, itself ± 1.25 %" if at == 3 else ""
        assert first == place + text + more
        text = "not finite" if np.isnan(loss) else with_error(loss, np.nan)
        assert second == f"{place}{text}, accuracy 97.26 %"


def test_the_point_under_the_pointer_is_read_on_all(tmp_path):
    source = flat(loss=2.0 + 1.0007e-3 * np.arange(20).reshape(4, 5), accuracy=None)
    source.loss[0, 0] = np.nan
    scan = f"""
        {FROM_ABOVE}
        const crossing = texts(), shown = [];
        for (let row = 1; row < 13; row++) for (let column = 1; column < 13; column++) {{
          await point(plots[0], "pointermove", 0.22 + 0.04 * column, 0.1 + 0.06 * row);
          shown.push([column, row, ...texts()]);
        }}
        await point(plots[0], "pointerleave", 0, 0);
        return [views()[0], crossing, shown, texts()];
        """
    other = flat("other", loss=source.loss + 5, accuracy=None, stderr=None)
    view, crossing, shown, left = ask_page(tmp_path, [source, other], scan)
    assert view == "azimuth -90°, elevation 90°, zoom 1.00"
    # Where nothing is pointed at, the numbers are those where the cuts cross: beside y = 0.
    assert crossing == left == ["x 0, y 0: loss 2.01 ± 0.10", "x 0, y 0: loss 7.01 (no error)"]
    read = {}
    for column, row, *texts in shown:
        (x, y), others_place = (
            tuple(map(float, re.match(r"x (\S+), y (\S+):", text).groups())) for text in texts
        )
        assert (x, y) == others_place
        at = np.argmin(abs(source.y - y)), np.argmin(abs(source.x - x))
        loss = source.loss[at]
        assert texts[0] == f"x {x:g}, y {y:g}: loss {with_error(loss, 0.05 * loss)}"
        assert texts[1] == f"x {x:g}, y {y:g}: loss {with_error(loss + 5, np.nan)}"
        read.setdefault((x, y), []).append((column, row))
    # Every point can be pointed at but the hole, and lies where it is seen.
    everywhere = {(x, y) for x in source.x for y in source.y}
    assert set(read) == everywhere - {(source.x[0], source.y[0])}
    del read[0.0, 0.0]  # also where nothing is pointed at
    centres = {place: np.mean(pixels, axis=0) for place, pixels in read.items()}
    for (x, y), (column, row) in centres.items():
        for (next_x, next_y), (next_column, next_row) in centres.items():
            assert (next_x <= x) or next_column > column
            assert (next_y <= y) or next_row < row


def test_colours_are_those_of_the_scale_on_both_scales(tmp_path):
    ends = panel("ends", path=None, loss=np.geomspace(1.0, 100.0, 20).reshape(4, 5))
    script = f"""
        {FROM_ABOVE}
        const most = () => {{
          const counts = new Map(), {{width, height}} = plots[0];
          const data = plots[0].getContext("2d").getImageData(
            0.3 * width | 0, 0.3 * height | 0, 0.4 * width | 0, 0.4 * height | 0).data;
          for (let at = 0; at < data.length; at += 4) {{
            const pixel = data.slice(at, at + 3).join();
            counts.set(pixel, (counts.get(pixel) || 0) + 1);
          }}
          return [...counts].sort((a, b) => b[1] - a[1])[0][0].split(",").map(Number);
        }};
        const log = most();
        document.querySelector("button.change").click();
        await wait();
        return [log, most(), all(".bar").map(bar => [bar.dataset.scale, bar.hidden])];
        """
    log, linear, bars = ask_page(
        tmp_path, [flat(loss=10.0), ends], script, options=PlotOptions(scale="log")
    )
    for seen, level in ((log, LogNorm(1.0, 100.0)(10.0)), (linear, 9 / 99)):
        expected = np.array(colormaps["viridis"](float(level), bytes=True)[:3], dtype=float)
        np.testing.assert_allclose(seen, expected, atol=3)  # of 128 colours
    assert dict(bars) == {"log": True, "linear": False}


def test_holes_and_what_is_beyond_the_scale_are_left_out(tmp_path):
    whole = flat(loss=10.0 + 1e-3 * np.arange(20.0).reshape(4, 5), nx=5, ny=4)
    hole, cut = (flat(loss=whole.loss.copy()) for _ in range(2))
    hole.loss[:, :3] = np.nan
    cut.loss[:, :3] = 99.0
    script = f"""
        {FROM_ABOVE}
        return plots.map(plot => {{
          const {{width, height}} = plot, context = plot.getContext("2d");
          const coloured = (from, to) => {{
            const [left, right] = [from * width | 0, to * width | 0];
            const {{data}} = context.getImageData(left, 0, right - left, height);
            let count = 0;
            for (let at = 0; at < data.length; at += 4) {{
              const pixel = data.slice(at, at + 3);
              count += Math.max(...pixel) - Math.min(...pixel) > 40;  // no grey
            }}
            return count;
          }};
          return [coloured(0, 0.5), coloured(0.5, 1)];
        }});
        """
    counts = ask_page(tmp_path, [whole, hole, cut], script, options=PlotOptions(zmax=12.0))
    (left, right), of_hole, of_cut = counts
    assert min(left, right) > 5000
    for only_left, only_right in (of_hole, of_cut):
        assert only_left < 0.02 * left
        assert only_right > 0.45 * right  # the next line of the grid is in the middle


def test_the_cuts_are_moved_by_sliders_and_clicks(tmp_path):
    start, slid, clicked = ask_page(
        tmp_path,
        [panel(path=None), panel("b", factor=0.1, path=None)],
        f"""
        const state = () => [all("[data-cut]").map(e => e.textContent), texts(),
          [...pictures(), ...all("canvas.profile").map(chart => chart.toDataURL())]];
        const start = state();
        await slide(sliders[0], 3);
        await slide(sliders[1], 4);
        const slid = state();
        {FROM_ABOVE}
        await point(plots[0], "pointerdown", 0.5, 0.5);
        await point(plots[0], "pointerup", 0.5, 0.5);
        await point(plots[0], "pointerleave", 0, 0);
        return [start, slid, state()];
        """,
    )
    # The places are those of the grid, and 0: -0.5, 0, 0.5, 1 along y.
    assert start[0] == ["y = 0", "x = 0"]
    assert start[1][0].startswith("x 0, y 0: loss 64.1 ± 3.2")
    assert slid[0] == ["y = 1", "x = 1"]
    assert slid[1][0].startswith("x 1, y 1: loss 400 ± 20")
    assert slid[1][1].startswith("x 1, y 1: loss 40.0 ± 2.0")
    assert not set(start[2]) & set(slid[2])
    assert clicked[0][1] == "x = 0"
    assert clicked[0][0] in {"y = 0", "y = 0.5"}
