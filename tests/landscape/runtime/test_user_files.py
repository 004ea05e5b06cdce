import os
import sys

import pytest

from landscape.errors import InputError
from landscape.runtime.user_files import call_user_function, is_user_function, load_user_function


@pytest.fixture
def write(tmp_path):
    """Write a file and return its name with a function's: FILE.py:FUNCTION."""

    def write(content, function="make", file="mine.py"):
        (tmp_path / file).write_text(content)
        return f"{tmp_path / file}:{function}"

    return write


@pytest.fixture(autouse=True)
def _clean_modules():
    """What one test imports is not there for the next."""
    path, before = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model.py:make", True),
        ("a/b c/model.py:make", True),
        ("/a:b/model.py:make", True),
        ("model.py", False),
        ("model.py:", False),
        ("model.py:2x", False),
        ("model.txt:make", False),
        ("timm:vit_tiny_patch16_224", False),
        ("vit-tiny", False),
        ("", False),
    ],
)
def test_the_form_of_a_name(name, expected):
    assert is_user_function(name) is expected


def test_a_function_is_loaded_and_called(write):
    name = write("def make(a, b=2):\n    return a, b\n")
    assert load_user_function(name)(1) == (1, 2)
    assert call_user_function(name, {"a": 5}, strict=True) == (5, 2)
    assert call_user_function(name, {"a": 5, "b": 6}, strict=True) == (5, 6)


def test_what_is_in_the_file_now_is_run(write, tmp_path, monkeypatch):
    """Also where it was changed within a second to as many characters, as compiled code is not."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    times = tmp_path.stat().st_mtime_ns
    for answer in (3, 4):
        name = write(f"def make(): return {answer}")
        os.utime(tmp_path / "mine.py", ns=(times, times))
        assert load_user_function(name)() == answer
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_a_relative_path(write, tmp_path, monkeypatch):
    write("def make():\n    return 3\n")
    monkeypatch.chdir(tmp_path)
    assert call_user_function("mine.py:make", {}, strict=True) == 3


def test_a_class_will_do(write):
    name = write("class Net:\n    def __init__(self, width):\n        self.width = width\n", "Net")
    assert call_user_function(name, {"width": 4}, strict=True).width == 4


def test_the_files_folder_is_importable(write):
    write("VALUE = 11\n", file="a_neighbour.py")
    name = write("from a_neighbour import VALUE\n\ndef make():\n    return VALUE\n")
    assert call_user_function(name, {}, strict=True) == 11


def test_the_files_folder_is_importable_while_the_function_runs(write):
    write("VALUE = 11\n", file="a_late_neighbour.py")
    name = write("def make():\n    import a_late_neighbour\n    return a_late_neighbour.VALUE\n")
    assert call_user_function(name, {}, strict=True) == 11


def test_dataclasses_with_postponed_annotations(write):
    """dataclasses looks its module up by name."""
    name = write(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n\n"
        "@dataclass\nclass Sizes:\n    width: int = 3\n\n"
        "def make():\n    return Sizes().width\n"
    )
    assert call_user_function(name, {}, strict=True) == 3


def test_a_file_may_have_the_name_of_a_module(write):
    name = write("def make():\n    return 'mine'\n", file="json.py")
    assert call_user_function(name, {}, strict=True) == "mine"
    import json

    assert json.loads("[1]") == [1]


def test_only_the_arguments_it_takes_are_passed(write):
    name = write("def make(split):\n    return split\n")
    assert call_user_function(name, {"split": "val", "data_dir": "d"}, strict=False) == "val"


def test_an_argument_it_does_not_take_is_refused_when_strict(write):
    name = write("def make(width):\n    return width\n")
    with pytest.raises(InputError, match="takes no argument depth, height"):
        call_user_function(name, {"width": 1, "height": 2, "depth": 3}, strict=True)


def test_any_keyword_is_taken_when_strict_and_left_out_otherwise(write):
    name = write("def make(a, **rest):\n    return a, rest\n")
    assert call_user_function(name, {"a": 1, "b": 2}, strict=True) == (1, {"b": 2})
    assert call_user_function(name, {"a": 1, "b": 2}, strict=False) == (1, {})


@pytest.mark.parametrize("strict", [True, False])
def test_a_missing_argument_is_named(write, strict):
    name = write("def make(a, b, *, c, d=1):\n    return a\n")
    with pytest.raises(InputError, match="requires b, c; available: a"):
        call_user_function(name, {"a": 1}, strict=strict)
    with pytest.raises(InputError, match="requires a, b, c; available: nothing"):
        call_user_function(name, {}, strict=strict)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("def make(:\n", "can't be imported: SyntaxError"),
        ("import no_such_module_at_all\n", "can't be imported: ModuleNotFoundError: .*no_such"),
        ("raise ValueError('first\\nsecond')\n", r"can't be imported: ValueError: first$"),
        ("make = 3\n", "has no function 'make'"),
        ("def other():\n    pass\n", "has no function 'make'"),
    ],
    ids=["syntax", "import", "raises", "no function", "another function"],
)
def test_a_file_that_will_not_do_is_refused(write, content, message):
    with pytest.raises(InputError, match=message):
        load_user_function(write(content))


def test_an_exception_of_the_function_is_reported(write):
    name = write("def make():\n    return 1 / 0\n")
    with pytest.raises(InputError, match="failed: ZeroDivisionError: division by zero") as caught:
        call_user_function(name, {}, strict=True)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_input_error_of_the_function_is_its_own(write):
    content = (
        "from landscape.errors import InputError\n\ndef make():\n    raise InputError('x y')\n"
    )
    with pytest.raises(InputError, match="^x y$"):
        call_user_function(write(content), {}, strict=True)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file: .*absent.py"):
        load_user_function(f"{tmp_path / 'absent.py'}:make")
