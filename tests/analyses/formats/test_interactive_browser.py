"""The page of surfaces in a real browser: turned by keys and by hand, read, cut, without scripts."""

import re
from collections import Counter

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from PIL import Image

from analyses.drawing.numbers import with_error
from analyses.drawing.options import PlotOptions
from tests.analyses.browser import DARK, ask, browse, needs_chromium
from tests.analyses.formats.panels import page, panel

pytestmark = needs_chromium

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


@pytest.fixture
def ask_page(tmp_path):
    """What a script finds out in the page of these surfaces."""

    def ask_about(panels, script, *flags, options=None):
        page(panels, tmp_path, options)
        return ask(tmp_path / "page.html", HELP + script, *flags)

    return ask_about


def flat(title="flat", loss=2.0, **changes):
    return panel(title, path=None, **({"loss": np.full((4, 5), loss)} | changes))


def test_one_is_turned_and_all_turn(ask_page):
    home, keys, limits, dragged, again, same = ask_page(
        [panel(), panel("SAM", factor=0.01), panel("third", nx=3, ny=7)],
        """
        const home = [views(), pictures()];
        await press(plots[1], "ArrowLeft", "ArrowUp", "ArrowUp", "+");
        const keys = [views(), pictures()];
        await press(plots[2], ...Array(40).fill("ArrowDown"), ...Array(40).fill("-"));
        const limits = [views(), pictures()];
        await press(plots[0], "0");
        await point(plots[2], "pointerdown", 0.5, 0.5);
        await point(plots[2], "pointermove", 0.75, 0.5);
        await point(plots[2], "pointerup", 0.75, 0.5);
        const dragged = [views(), pictures()];
        await press(plots[1], "Home");
        const again = [views(), pictures()];
        all("button[data-key]").forEach(button => button.click());  // out, in, reset
        await wait();
        return [home, keys, limits, dragged, again, pictures()];
        """,
    )
    for views, pictures in (home, keys, limits, dragged):
        assert len(set(views)) == 1
        assert len(set(pictures)) == 3
    assert home[0][0] == "azimuth -55°, elevation 28°, zoom 1.00"
    assert keys[0][0] == "azimuth -60°, elevation 38°, zoom 1.15"
    assert limits[0][0] == "azimuth -60°, elevation -90°, zoom 0.50"
    assert dragged[0][0] == "azimuth -100°, elevation 28°, zoom 1.00"  # half a turn is a width
    for number in range(3):
        pictures = [state[1][number] for state in (home, keys, limits, dragged)]
        assert len(set(pictures)) == 4
    assert again == home
    assert same == home[1]


def test_other_keys_are_left_to_the_page(ask_page):
    taken = ask_page(
        [panel()],
        """
        const isTaken = (key, more) => !plots[0].dispatchEvent(
          new KeyboardEvent("keydown", {key, cancelable: true, ...more}));
        return [isTaken("ArrowUp"), isTaken("+"), isTaken("Tab"), isTaken("a"), isTaken("Enter"),
          isTaken("+", {ctrlKey: true}), isTaken("0", {metaKey: true})];
        """,
    )
    assert taken == [True, True, False, False, False, False, False]


def test_everything_is_reached_by_keyboard_and_named(ask_page):
    stops, names, described = ask_page(
        [panel("plain"), panel("with SAM")],
        """
        const stops = all("button, canvas.plot, input").map(element => {
          element.focus();
          const {outlineStyle, outlineWidth} = getComputedStyle(element);
          return [document.activeElement === element, element.tabIndex, outlineStyle, outlineWidth];
        });
        const described = plots.map(plot =>
          document.getElementById(plot.getAttribute("aria-describedby")).textContent);
        const names = [...plots, ...all("canvas.profile")].map(e => e.getAttribute("aria-label"));
        return [stops, [...names, ...sliders.map(s => s.getAttribute("aria-valuetext"))], described];
        """,
    )
    assert len(stops) == 4 + 2 + 2
    for has_focus, order, style, width in stops:
        assert has_focus
        assert order == 0
        assert style != "none"
        assert float(width.removesuffix("px")) >= 1
    assert names[0].startswith("Loss surface of plain, seen from azimuth")
    assert names[1].startswith("Loss surface of with SAM, seen from azimuth")
    assert all(names)
    assert names[-2:] == ["y = 0", "x = 0"]
    assert all("arrow keys" in text and "0 resets" in text for text in described)


def test_every_point_is_read_with_its_error_as_in_the_tables(ask_page):
    losses = np.array(
        [[3.2e-7, 0.0123, 0.9996, 12.5, 99_999.6], [4.5e5, 1.23e8, -0.5, np.nan, 7.0]]
    )
    errors = np.array([[2e-9, 0.0051, 0.00123, 0.0, 3.2], [120.0, 4e5, 0.25, np.nan, np.nan]])
    x, y = np.linspace(-1, 1, 5), np.array([0.0, 1.0])
    interpolation = np.full((2, 5), np.nan)
    interpolation[0, 3] = 0.0125
    given = {"x": x, "y": y, "loss": losses, "path": None}
    panels = [
        panel(stderr=errors, accuracy=None, interpolation=interpolation, **given),
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
    shown = ask_page(panels, script)
    for at, (first, second) in enumerate(shown):
        row, column = divmod(at, 5)
        place = f"x {x[column]:g}, y {y[row]:g}: loss "
        loss, error = losses[row, column], errors[row, column]
        text = "not finite" if np.isnan(loss) else with_error(loss, error)
        more = ", interpolated, itself ± 1.25 %" if at == 3 else ""
        assert first == place + text + more
        text = "not finite" if np.isnan(loss) else with_error(loss, np.nan)
        assert second == f"{place}{text}, accuracy 97.26 %"


def test_the_point_under_the_pointer_is_read_on_all(ask_page):
    source = flat(loss=2.0 + 1e-3 * np.arange(20).reshape(4, 5), accuracy=None)
    source.loss[0, 0] = np.nan
    scan = f"""
        {FROM_ABOVE}
        const crossing = texts(), shown = [];
        for (let row = 1; row < 13; row++) for (let column = 1; column < 13; column++) {{
          await point(plots[0], "pointermove", column / 13, row / 13);
          shown.push([column, row, ...texts()]);
        }}
        await point(plots[0], "pointerleave", 0, 0);
        return [views()[0], crossing, shown, texts()];
        """
    other = flat("other", loss=source.loss + 5, accuracy=None, stderr=None)
    view, crossing, shown, left = ask_page([source, other], scan)
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


def test_hostile_names_are_text(ask_page):
    titles = [
        "</script><img src=x onerror=\"document.body.id='harmed'\">",
        "'\"><script>document.body.id='harmed'</script>\u2028&lt;",
    ]
    harmed, scripts, captions, labels = ask_page(
        [panel(title) for title in titles],
        """return [document.body.id, document.scripts.length,
          all("figcaption").map(caption => caption.textContent), plots.map(p => p.dataset.name)];""",
    )
    assert harmed == ""
    assert scripts == 4  # two of the page, two of this test
    assert captions[:2] == titles
    assert labels == [f"Loss surface of {title}" for title in titles]


def test_colours_are_those_of_the_scale_on_both_scales(ask_page):
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
    log, linear, bars = ask_page([flat(loss=10.0), ends], script, options=PlotOptions(scale="log"))
    for seen, level in ((log, LogNorm(1.0, 100.0)(10.0)), (linear, 9 / 99)):
        expected = np.array(colormaps["viridis"](float(level), bytes=True)[:3], dtype=float)
        np.testing.assert_allclose(seen, expected, atol=3)  # of 128 colours
    assert dict(bars) == {"log": True, "linear": False}


def test_holes_and_what_is_beyond_the_scale_are_left_out(ask_page):
    whole = flat(loss=10.0 + 1e-3 * np.arange(20.0).reshape(4, 5), nx=5, ny=4)
    hole, cut = (flat(loss=whole.loss.copy()) for _ in range(2))
    hole.loss[:, :3] = np.nan
    cut.loss[:, :3] = 99.0
    script = f"""
        {FROM_ABOVE}
        return plots.map(plot => {{
          const {{width, height}} = plot, context = plot.getContext("2d");
          const coloured = (from, to) => {{
            const data = context.getImageData(from * width | 0, 0, (to - from) * width | 0, height).data;
            let count = 0;
            for (let at = 0; at < data.length; at += 4) {{
              count += Math.max(...data.slice(at, at + 3)) - Math.min(...data.slice(at, at + 3)) > 40;
            }}
            return count;
          }};
          return [coloured(0, 0.5), coloured(0.5, 1)];
        }});
        """
    counts = ask_page([whole, hole, cut], script, options=PlotOptions(zmax=12.0))
    (left, right), of_hole, of_cut = counts
    assert min(left, right) > 5000
    for only_left, only_right in (of_hole, of_cut):
        assert only_left < 0.02 * left
        assert only_right > 0.45 * right  # the next line of the grid is in the middle


def test_the_cuts_are_moved_by_sliders_and_clicks(ask_page):
    start, slid, clicked = ask_page(
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


@pytest.mark.parametrize(("width", "flags"), [(500, ()), (1280, (DARK,))])
def test_nothing_runs_over_the_edge(ask_page, width, flags):
    measured = ask_page(
        [panel("a-very-long-name-" * 9), *[panel(str(n)) for n in range(3)]],
        """
        const root = document.documentElement;
        return [root.clientWidth, root.scrollWidth, getComputedStyle(document.body).backgroundColor,
          getComputedStyle(outputs[0]).color, all("img").filter(i => i.checkVisibility()).length];
        """,
        f"--window-size={width},900",
        *flags,
    )
    inner, scroll, paper, ink, maps = measured
    assert scroll <= inner
    assert maps == 0
    brightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (paper, ink)]
    assert abs(brightness[0] - brightness[1]) > 300
    assert (brightness[0] < 200) == bool(flags)


def test_without_scripts_there_are_maps(tmp_path):
    text, _ = page([panel(path=None)], tmp_path)
    silent = tmp_path / "silent.html"
    silent.write_text(text.replace("script-src 'unsafe-inline'", "script-src 'none'"))
    picture = tmp_path / "silent.png"
    browse(silent, "--window-size=700,700", "--hide-scrollbars", f"--screenshot={picture}")
    with Image.open(picture) as image:
        colours = Counter(image.convert("RGB").get_flattened_data())
    source = panel()
    values = LogNorm(source.loss.min(), source.loss.max())(source.loss)
    for colour in colormaps["viridis"](values, bytes=True)[..., :3].reshape(-1, 3):
        assert colours[tuple(map(int, colour))] > 1000
