"""Pages in a real browser, where chromium is installed."""

import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

DARK = "--blink-settings=preferredColorScheme=0"
# Without a window there may be no frames to wait for, and no pointer to capture.
BEFORE = """<script>
window.requestAnimationFrame = draw => setTimeout(draw, 0);
Element.prototype.setPointerCapture = () => {};
window.errors = [];
window.addEventListener("error", event => window.errors.push(String(event.message)));
</script>"""
AFTER = """<script>
window.addEventListener("load", async () => {
  const wait = () => new Promise(resolve => setTimeout(resolve, 300));
  const ask = async () => { SCRIPT };
  let answer;
  await wait();
  try { answer = await ask(); } catch (error) { answer = String(error); }
  document.title = JSON.stringify({answer, errors: window.errors});
});
</script></body>"""


def browse(page: Path, *flags: str, part: str = "") -> str:
    """Run the browser on a page and return what it prints.

    Args:
        page: a file.
        flags: of the browser, such as ``--dump-dom``.
        part: what follows the address of the page, such as ``?q=loss``.
    """
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory() as profile:
        command = [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=200000",
            f"--user-data-dir={profile}",
            *flags,
            page.as_uri() + part,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def ask(page, script, *flags):
    """What a script returns that runs in the page; ``await wait()`` lets the page draw.

    No error may be raised in the page.
    """
    text = page.read_text(encoding="utf-8").replace("<title>", f"{BEFORE}<title>", 1)
    copy = page.with_name("asked.html")
    copy.write_text(text.replace("</body>", AFTER.replace("SCRIPT", script)), encoding="utf-8")
    title = re.search(r"<title>(.*?)</title>", browse(copy, *flags, "--dump-dom"), re.DOTALL)
    assert title, "the browser printed no page"
    state = json.loads(html.unescape(title[1]))
    assert state["errors"] == []
    return state["answer"]
