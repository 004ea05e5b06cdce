"""What a person at the terminal sees: messages, help, tracebacks."""

from analyses.analysis import Analysis
from analyses.catalog import known_analyses
from tests.analyses.command.words import SAMPLES, SMALL
from tests.commands import TIMEOUT, content, start


def test_debug_shows_the_traceback(plot, runs, tmp_path):
    words = ("line", runs[0], "--model", "vit-tinny", "--output-dir", tmp_path)
    status, out, err = plot(*words, "--debug")
    assert (status, out) == (2, "")
    assert "Traceback (most recent call last):" in err
    assert "InputError: unknown model 'vit-tinny'" in err


def test_an_error_of_our_own_is_one_line_and_a_failure(plot, runs, tmp_path, monkeypatch):
    def fail(*_words):
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr(Analysis, "compute", fail)
    words = ("line", runs[0], *SAMPLES, "--quiet", "--output-dir", tmp_path)
    status, out, err = plot(*words)
    assert (status, out) == (1, "")
    assert err == "landscape-plot: error: RuntimeError: first second (--debug shows where)\n"
    assert list(tmp_path.iterdir()) == []  # the folder of the label is gone, too


def test_quiet_leaves_results_only(plot, runs, tmp_path):
    words = ("line", runs[0], *SMALL["line"], "--output-dir", tmp_path, "--quiet")
    status, out, err = plot(*words)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        str(tmp_path / name)
        for name in (
            "plain/line.h5",
            "plain/line.json",
            "line.png",
            "line.html",
            "line.json",
            "line.csv",
            "line.md",
        )
    ]


def test_every_analysis_has_the_shared_flags(plot):
    for analysis in (*known_analyses(), "report"):
        status, out, err = plot(analysis, "--help")
        assert (status, err) == (0, "")
        for flag in (
            *("--model", "--model-args", "--data", "--data-dir", "--split", "--image-size"),
            *("--mean", "--std", "--samples", "-b", "--batch-size", "--device", "--precision"),
            *("--seed", "--output-dir", "--format", "--force", "--debug", "--quiet"),
        ):
            assert flag in out, f"{analysis} {flag}"


def test_help_fits_80_columns(plot, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for words in ((), *((name,) for name in (*known_analyses(), "report"))):
        status, out, _ = plot(*words, "--help")
        assert status == 0
        assert max(map(len, out.splitlines())) <= 80, words


def test_a_reader_that_goes_away_is_no_error(runs, tmp_path):
    """As in ``landscape-plot ... | head -1``, with a head that leaves at once: the work is done."""
    words = ("sparsity", runs[0], *SAMPLES, "--output-dir", tmp_path)
    with start("landscape-plot", *words, unbuffered=True) as process:
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=TIMEOUT)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert "Broken" not in err
    assert "Exception" not in err
    assert {"plain/sparsity.h5", "sparsity.png"} <= set(content(tmp_path))
