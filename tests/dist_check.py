"""``make dist-check``: build the sdist and the wheel, look into both, install the wheel and use it.

The sdist is built from the working tree, the wheel from the sdist. The wheel is installed without
its dependencies into an environment of its own, which finds those of the environment that runs
this. Then both commands are used in an empty folder: help, a training of one epoch, a picture.
"""

import logging
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path
from sysconfig import get_path

LOGGER = logging.getLogger("dist-check")

ROOT = Path(__file__).parents[1]
PACKAGES = ("landscape", "analyses")
# What the sdist holds beside the packages and what its builder adds.
PAGES = {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "pyproject.toml"}
ADDED = {"PKG-INFO", ".gitignore"}
TRAINING = ("--model", "vit-tiny", "--model-args", "depth=1", "dim=16", "--data", "digits")


def main() -> int:
    """Build, look and use; returns 0, or 1 with what is wrong."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as folder:
        try:
            sdist, wheel = build(Path(folder))
            check_files(sdist, wheel)
            use(install(Path(folder), wheel), Path(folder))
        except (AssertionError, subprocess.CalledProcessError) as error:
            LOGGER.error(f"dist-check: {error}")
            return 1
    LOGGER.info("dist-check: passed")
    return 0


def build(folder: Path) -> tuple[Path, Path]:
    """The sdist and the wheel, built by the package build in an environment of its own."""
    builder = environment(folder / "builder")
    call(builder, "-m", "pip", "install", "--quiet", "build")
    call(builder, "-m", "build", "--outdir", str(folder / "dist"), str(ROOT))
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    (wheel,) = (folder / "dist").glob("*.whl")
    return sdist, wheel


def check_files(sdist: Path, wheel: Path) -> None:
    """Both hold every file of the packages that git tracks, and nothing else but metadata."""
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, check=True, capture_output=True, text=True
    )
    tracked = set(listed.stdout.splitlines())
    assert {"landscape/py.typed", "analyses/py.typed"} <= tracked
    assert any(name.endswith(".toml") for name in tracked), "no recipes"
    assert any(name.endswith(".j2") for name in tracked), "no templates"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    metadata = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    compare(
        wheel.name,
        set(zipfile.ZipFile(wheel).namelist()),
        tracked | {f"{stem}.dist-info/{name}" for name in metadata},
    )
    with tarfile.open(sdist) as archive:
        files = {member.name for member in archive.getmembers() if member.isfile()}
    compare(sdist.name, files, {f"{stem}/{name}" for name in tracked | PAGES | ADDED})


def compare(what: str, files: set[str], expected: set[str]) -> None:
    """Check that an archive holds these files and no others."""
    missing, others = sorted(expected - files), sorted(files - expected)
    assert not missing, f"{what} lacks {len(missing)} files: {', '.join(missing[:5])}"
    assert not others, f"{what} also holds {len(others)} files: {', '.join(others[:5])}"
    LOGGER.info(f"{what}: {len(files)} files, as expected")


def install(folder: Path, wheel: Path) -> Path:
    """Install the wheel into a clean environment; returns the environment's Python."""
    python = environment(folder / "clean")
    call(python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel))
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    place = Path(call(python, "-c", code).strip())
    # A line that names a folder, of which .pth files are not read: no editable install is seen.
    (place / "dependencies.pth").write_text(f"{get_path('purelib')}\n", encoding="utf-8")
    for name in PACKAGES:
        found = call(python, "-c", f"import {name}; print({name}.__file__)").strip()
        assert Path(found).is_relative_to(place), f"{name} was imported from {found}"
    return python


def use(python: Path, folder: Path) -> None:
    """Show the help of both commands in both ways; train, and draw what was trained."""
    train, plot = (python.with_name(name) for name in ("landscape-train", "landscape-plot"))
    for name, module in ((train, "landscape"), (plot, "analyses")):
        shown = call(name, "--help")
        assert shown.startswith(f"usage: {name.name} "), shown
        assert call(python, "-m", module, "--help") == shown
    run, figures = folder / "run", folder / "figures"
    call(train, *TRAINING, "--epochs", "1", "--quiet", "--output-dir", str(run))
    call(python, "-m", "analyses", "norms", str(run), "--quiet", "--output-dir", str(figures))
    assert (run / "last.pt").is_file()
    for name in ("run/norms.h5", "run/norms.json", "norms.png", "norms.html", "norms.md"):
        assert (figures / name).stat().st_size > 100, name
    LOGGER.info("both commands ran: help, a training, a picture and its page")


def environment(folder: Path) -> Path:
    """Make an empty environment of this Python; returns its own."""
    call(Path(sys.executable), "-m", "venv", str(folder))
    return folder / "bin" / "python"


def call(program: Path, *words: str) -> str:
    """Run a program outside of the repository; returns its output, and shows that of a failure."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(program), *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=tempfile.gettempdir(),
        env=clean,
    )
    if done.returncode:
        LOGGER.error(done.stdout + done.stderr)
        done.check_returncode()
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
