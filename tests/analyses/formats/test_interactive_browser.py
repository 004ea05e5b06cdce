"""The page of surfaces in a real browser: turned by keys and by hand, named, without scripts."""

import re
from collections import Counter

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from PIL import Image

from tests.analyses.formats.panels import ask_page, page, panel
from tests.browser import DARK, browse, needs_chromium

pytestmark = needs_chromium


def test_one_is_turned_and_all_turn(tmp_path):
    home, keys, limits, dragged, again, same = ask_page(
        tmp_path,
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


def test_other_keys_are_left_to_the_page(tmp_path):
    taken = ask_page(
        tmp_path,
        [panel()],
        """
        const isTaken = (key, more) => !plots[0].dispatchEvent(
          new KeyboardEvent("keydown", {key, cancelable: true, ...more}));
        return [isTaken("ArrowUp"), isTaken("+"), isTaken("Tab"), isTaken("a"), isTaken("Enter"),
          isTaken("+", {ctrlKey: true}), isTaken("0", {metaKey: true})];
        """,
    )
    assert taken == [True, True, False, False, False, False, False]


def test_everything_is_reached_by_keyboard_and_named(tmp_path):
    stops, names, described = ask_page(
        tmp_path,
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
        names.push(...sliders.map(slider => slider.getAttribute("aria-valuetext")));
        return [stops, names, described];
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


def test_hostile_names_are_text(tmp_path):
    titles = [
        "</script><img src=x onerror=\"document.body.id='harmed'\">",
        "'\"><script>document.body.id='harmed'</script>\u2028&lt;",
    ]
    harmed, scripts, captions, labels = ask_page(
        tmp_path,
        [panel(title) for title in titles],
        """
        const captions = all("figcaption").map(caption => caption.textContent);
        const names = plots.map(plot => plot.dataset.name);
        return [document.body.id, document.scripts.length, captions, names];
        """,
    )
    assert harmed == ""
    assert scripts == 4  # two of the page, two of this test
    assert captions[:2] == titles
    assert labels == [f"Loss surface of {title}" for title in titles]


@pytest.mark.parametrize(("width", "flags"), [(500, ()), (1280, (DARK,))])
def test_nothing_runs_over_the_edge(tmp_path, width, flags):
    measured = ask_page(
        tmp_path,
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
        colours = Counter(map(tuple, np.asarray(image.convert("RGB")).reshape(-1, 3).tolist()))
    source = panel()
    values = LogNorm(source.loss.min(), source.loss.max())(source.loss)
    for colour in colormaps["viridis"](values, bytes=True)[..., :3].reshape(-1, 3):
        assert colours[tuple(map(int, colour))] > 1000
