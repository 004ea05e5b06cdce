"""The order of words on the command line is free."""

import pytest

from landscape.runtime.console import Parser
from landscape.runtime.options import argument_type, key_value


def parser():
    example = Parser(prog="example", allow_abbrev=False)
    example.add_argument("files", nargs="+")
    example.add_argument("--args", nargs="+", type=argument_type(key_value), default=[])
    example.add_argument("--mean", nargs="+", type=float)
    example.add_argument("-b", "--batch", type=int)
    example.add_argument("--x")
    example.add_argument("--quiet", action="store_true")
    return example


@pytest.mark.parametrize(
    "line",
    [
        "one two --args a=1 b=2 --mean 0.1 0.2 -b 3 --x=-1:1:5 --quiet",
        "--args a=1 b=2 one --mean 0.1 0.2 two -b 3 --quiet --x=-1:1:5",
        "one --quiet two -b 3 --x=-1:1:5 --mean 0.1 0.2 --args a=1 b=2",
        "--x=-1:1:5 -b 3 --quiet --mean 0.1 0.2 --args a=1 b=2 -- one two",
        "--quiet one -b3 --mean 0.1 0.2 --x=-1:1:5 --args a=1 b=2 two",
    ],
)
def test_flags_and_files_in_any_order(line):
    arguments = parser().parse_args(line.split())
    assert arguments.files == ["one", "two"]
    assert arguments.args == [("a", 1), ("b", 2)]
    assert arguments.mean == [0.1, 0.2]
    assert (arguments.batch, arguments.x, arguments.quiet) == (3, "-1:1:5", True)


def test_a_file_that_looks_like_a_flag_goes_after_two_dashes():
    assert parser().parse_args(["--quiet", "--", "-b", "one"]).files == ["-b", "one"]


@pytest.mark.parametrize("line", ["", "--quiet", "one --unknown", "one -b", "one -b x"])
def test_what_is_wrong_is_one_line(line, capsys):
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(line.split())
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("example: error: ")
    assert told.count("\n") == 1
