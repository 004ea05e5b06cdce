"""A page in a real browser."""

import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def browse(address: str, profile: Path, *flags: str) -> str:
    """Run the browser on a page and return what it prints.

    Args:
        address: of the page.
        profile: a folder that the browser keeps its files in.
        flags: of the browser, such as ``--dump-dom``.
    """
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--virtual-time-budget=20000",
        f"--user-data-dir={profile}",
        *flags,
        address,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout
