"""Scripts of completion, asked by the shells themselves."""

import shlex
import shutil
import subprocess

import pytest

from analyses.catalog import known_analyses
from analyses.command.arguments import build_parser as plot_parser
from landscape.command_line.completion import SHELLS, completion
from landscape.runtime.choices import BATCHNORM_STATISTICS
from landscape.training.command.arguments import build_parser as train_parser

ASK = """\
ask() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    local function=$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')
    "$function" "$1"
    printf '%s\\n' "${COMPREPLY[@]}"
}
"""
# zsh and fish have no such array: their own commands are asked, or replaced by ones that print.
ASK_ZSH = """\
compdef() { asked=$1 }
compadd() { shift; print -l -- "$@" | grep -e "^${words[CURRENT]}" }
_files() { print -l -- *(N) }
ask() { words=("$@"); CURRENT=$#; $asked }
"""


@pytest.fixture
def asked(tmp_path):
    """What a shell offers for the last of the words, in a folder with two files."""
    (tmp_path / "run").mkdir()
    (tmp_path / "my weights.pt").touch()

    def asked(shell, *words):
        if shutil.which(shell) is None:
            pytest.skip(f"no {shell} here")
        parser = plot_parser() if words[0] == "landscape-plot" else train_parser()
        script = tmp_path.with_suffix(".script")
        script.write_text(completion(parser, shell))
        source, line = f"source {shlex.quote(str(script))}", shlex.join(words)
        typed = line.removesuffix("''")  # fish takes the line as it stands
        commands = {
            "bash": ["bash", "--norc", "--noprofile", "-c", f"{ASK}\n{source}\nask {line}"],
            "zsh": ["zsh", "-f", "-c", f"{ASK_ZSH}\n{source}\nask {line}"],
            "fish": ["fish", "--no-config", "-c", f"{source}; complete -C {shlex.quote(typed)}"],
        }
        done = subprocess.run(
            commands[shell], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode in (0, 1), done.stderr) == (True, "")
        return {word.partition("\t")[0] for word in done.stdout.splitlines() if word}

    return asked


@pytest.mark.parametrize("shell", SHELLS)
def test_subcommands_flags_and_choices(asked, shell):
    plot = ("landscape-plot",)
    assert asked(shell, *plot, "") >= {*known_analyses(), "report"}
    assert asked(shell, *plot, "spars") == {"sparsity"}
    assert asked(shell, *plot, "surface", "--tow") == {"--toward-x", "--toward-y"}
    assert asked(shell, *plot, "norms", "--to") == set()
    assert asked(shell, *plot, "line", "--bn", "") == set(BATCHNORM_STATISTICS)
    assert asked(shell, *plot, "line", "run", "--bn", "fi") == {"fixed"}
    assert asked(shell, "landscape-train", "--no-n") == {"--no-nesterov"}
    assert asked(shell, "landscape-train", "--resiz") == {"--resize"}
    assert asked(shell, "landscape-train", "--resize", "") == {"shorter", "both"}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_paths_where_paths_are_taken(asked, shell):
    files = {"run", "my weights.pt"}
    assert asked(shell, "landscape-plot", "line", "") == files
    assert asked(shell, "landscape-plot", "line", "--toward-x", "") == files
    assert asked(shell, "landscape-train", "--data-dir", "") == files
    assert asked(shell, "landscape-train", "--lr", "") == set()
    assert asked(shell, "landscape-plot", "line", "--samples", "") == set()


def test_a_value_after_an_equals_sign(asked):
    """Bash gives it as a word of its own."""
    assert asked("bash", "landscape-plot", "line", "--bn", "=", "") == set(BATCHNORM_STATISTICS)
    assert asked("bash", "landscape-plot", "line", "--bn", "=") == set(BATCHNORM_STATISTICS)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_it(shell, capsys):
    with pytest.raises(SystemExit) as caught:
        train_parser().parse_args(["--completion", shell])
    assert caught.value.code == 0
    assert capsys.readouterr().out.rstrip("\n") == completion(train_parser(), shell)
