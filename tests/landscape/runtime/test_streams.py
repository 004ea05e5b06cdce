"""Commands whose terminal is closed or knows few characters, and Ctrl-C at any import."""

import subprocess
import sys

import pytest

# A command that needs nothing, so that it starts at once.
SMALL = """
import argparse, logging, sys
from landscape.runtime.console import Parser, add_console_options, run_command, show
from landscape.runtime.progress import track

def parser():
    made = Parser(prog="small", description="σ of ‖ε‖ ± 1")
    add_console_options(made)
    made.add_argument("words", nargs="*")
    return made

def work(arguments):
    logging.getLogger("landscape").info("ρ = 1")
    for _ in track(range(3), "σ"):
        pass
    show("‖θ‖ = 2 ± 1")
    with open(FILE, "w") as file:
        file.write("result")
    sys.stderr.write("σ\\n")
    assert "fail" not in arguments.words, "ε"

raise SystemExit(run_command("small", work, parser, None, when_interrupted="again"))
"""


def small(tmp_path, words="", redirection="", **environment):
    """The status, output and error of the small command in a shell, and the file it wrote."""
    script, file = tmp_path / "small.py", tmp_path / "result"
    script.write_text(f"FILE = {str(file)!r}\n{SMALL}", encoding="utf-8")
    line = f"{sys.executable} {script} {words} {redirection}"
    done = subprocess.run(line, shell=True, capture_output=True, env=environment, check=False)
    return done.returncode, done.stdout, done.stderr, file.read_text() if file.exists() else None


ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}


def path():
    return {"PYTHONPATH": ":".join(sys.path)}


@pytest.mark.parametrize("words", ["", "--help", "fail"])
def test_a_terminal_of_ascii(tmp_path, words):
    status, out, err, _ = small(tmp_path, words, **ASCII, **path())
    assert status == (1 if words == "fail" else 0), err
    assert b"Unicode" not in err
    assert b"Traceback" not in err
    assert b"\\u03" in out + err


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(tmp_path, closed):
    status, out, err, written = small(tmp_path, redirection=closed, **path())
    assert (status, written) == (0, "result")
    assert b"Traceback" not in err
    assert (b"2" in out) == (">&-" not in closed.replace("2>&-", ""))


def test_an_error_has_its_status_with_closed_streams(tmp_path):
    assert small(tmp_path, "fail", ">&- 2>&-", **path())[0] == 1
    assert small(tmp_path, "--unknown", ">&- 2>&-", **path())[0] == 2


def test_bytes_that_are_no_text(tmp_path):
    status, out, err, written = small(tmp_path, r"$(printf 'a\377')", **path())
    assert (status, out, written) == (2, b"", None)
    assert err.startswith(b"small: error: 'a\\udcff' holds bytes that are not text in utf-8")
    assert err.count(b"\n") == 1


INTERRUPTED = """
import sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == MODULE:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from PACKAGE.cli import main
raise SystemExit(main(WORDS))
"""


@pytest.mark.parametrize(
    ("package", "module", "words"),
    [
        ("landscape", "landscape.runtime.console", []),
        ("landscape", "landscape.training.command.arguments", []),
        ("landscape", "torch", ["--output-dir", "absent"]),
        ("analyses", "analyses.catalog", []),
        ("analyses", "torch", ["line", "absent"]),
    ],
)
def test_ctrl_c_while_something_is_imported(package, module, words):
    code = INTERRUPTED.replace("MODULE", repr(module)).replace("PACKAGE", package)
    code = code.replace("WORDS", repr(words))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=path(), check=False
    )
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") <= 2
