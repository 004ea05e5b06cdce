import argparse
import json
from dataclasses import dataclass, field, fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.errors import InputError
from landscape.runtime.options import (
    add_options,
    from_plain,
    given_options,
    key_value,
    option,
    read_options,
    to_plain,
)


@dataclass(frozen=True)
class Span:
    """A value with a textual form of its own."""

    low: float
    high: float

    @classmethod
    def parse(cls, text):
        low, separator, high = text.partition(":")
        if not separator:
            raise InputError(f"expected LOW:HIGH, got {text!r}")
        return cls(float(low), float(high))

    def __str__(self):
        return f"{self.low}:{self.high}"


@dataclass(frozen=True)
class Example:
    steps: int = option(10, "how many steps, at most 100% of them", metavar="N")
    batch_size: int = option(32, "samples at once", short="-b")
    rate: float = option(0.5, "how fast")
    name: str = option("", "what to call it")
    mode: str = option("fast", "how", choices=("fast", "exact"))
    verbose: bool = option(False, "say more")
    normalise: bool = option(True, "divide by the norm")
    span: Span = option(Span(-1.0, 1.0), "the range", parse=Span.parse)
    seeds: tuple[int, ...] = option((), "which seeds", parse=int, nargs="+")
    file: Path | None = option(None, "where from", parse=Path)
    derived: dict = field(default_factory=dict)


def parse(*words):
    parser = argparse.ArgumentParser()
    add_options(parser, Example)
    return parser.parse_args(words)


def test_no_flag_gives_the_defaults_and_leaves_no_trace():
    namespace = parse()
    assert vars(namespace) == {}
    assert read_options(namespace, Example) == Example()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--steps", "3"], {"steps": 3}),
        (["--batch-size", "8"], {"batch_size": 8}),
        (["-b", "8"], {"batch_size": 8}),
        (["--rate=1e-3"], {"rate": 1e-3}),
        (["--name", "7"], {"name": "7"}),
        (["--mode", "exact"], {"mode": "exact"}),
        (["--verbose"], {"verbose": True}),
        (["--no-normalise"], {"normalise": False}),
        (["--span=-2:3"], {"span": Span(-2.0, 3.0)}),
        (["--seeds", "1", "2"], {"seeds": (1, 2)}),
        (["--file", "a/b"], {"file": Path("a/b")}),
        (["--steps", "10"], {"steps": 10}),  # given, though it is the default
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_flags(words, expected):
    namespace = parse(*words)
    assert given_options(namespace, Example) == expected
    assert read_options(namespace, Example) == Example(**expected)


def test_flags_of_other_settings_are_left_alone():
    namespace = argparse.Namespace(steps=3, output_dir="here")
    assert given_options(namespace, Example) == {"steps": 3}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--span", "5"], "argument --span: expected LOW:HIGH, got '5'"),
        (["--steps", "many"], "argument --steps: invalid int value: 'many'"),
        (["--mode", "slow"], "invalid choice: 'slow'"),
        (["--derived", "1"], "unrecognized arguments: --derived"),
    ],
    ids=["own parser", "int", "choice", "no option"],
)
def test_wrong_flags_exit_with_2_and_say_why(words, message, capsys):
    with pytest.raises(SystemExit) as caught:
        parse(*words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_help_shows_every_flag_with_its_default():
    parser = argparse.ArgumentParser()
    add_options(parser, Example)
    text = " ".join(parser.format_help().split())
    for item in fields(Example):
        assert (f"--{item.name.replace('_', '-')}" in text) == (item.name != "derived")
    assert "--steps N how many steps, at most 100% of them (default: 10)" in text
    assert "divide by the norm (default: True)" in text
    assert "the range (default: -1.0:1.0)" in text
    assert "--no-verbose" in text
    # Empty defaults aren't shown; the other seven are, once.
    assert text.count("(default: ") == 7


settings_examples = st.builds(
    Example,
    steps=st.integers(),
    rate=st.floats(allow_nan=False),
    name=st.text(),
    verbose=st.booleans(),
    span=st.builds(Span, st.floats(-9, 9), st.floats(-9, 9)),
    seeds=st.lists(st.integers(), max_size=3).map(tuple),
    file=st.none() | st.sampled_from([Path("a"), Path("/b/c.pt"), Path("d e")]),
    derived=st.dictionaries(st.text(), st.integers(), max_size=2),
)


@settings(deadline=None, database=None)
@given(example=settings_examples)
def test_json_round_trip(example):
    plain = to_plain(example)
    assert set(plain) == {item.name for item in fields(Example)}
    assert from_plain(Example, json.loads(json.dumps(plain))) == example


def test_plain_values():
    plain = to_plain(Example(seeds=(1, 2), file=Path("a/b")))
    assert plain["seeds"] == [1, 2]
    assert plain["file"] == "a/b"
    assert plain["span"] == "-1.0:1.0"
    assert plain["verbose"] is False


def test_a_short_form_of_other_settings_is_a_flag_and_is_not_stored():
    @dataclass(frozen=True)
    class Short:
        steps: int = option(10, "how many steps")
        brief: bool = option(False, "one step", stored=False)

    parser = argparse.ArgumentParser()
    add_options(parser, Short)
    chosen = read_options(parser.parse_args(["--brief"]), Short)
    assert chosen.brief
    assert to_plain(chosen) == {"steps": 10}
    assert from_plain(Short, to_plain(chosen)) == Short()


def test_from_plain_fills_in_defaults():
    assert from_plain(Example, {"steps": 3}) == Example(steps=3)


def test_key_values():
    pairs = ["dim=48", "rate=1e-3", "flag=true", "off=False", "layers=1,2,3", "name=gelu", "eq=a=b"]
    assert dict(map(key_value, pairs)) == {
        "dim": 48,
        "rate": 1e-3,
        "flag": True,
        "off": False,
        "layers": [1, 2, 3],
        "name": "gelu",
        "eq": "a=b",
    }
    assert isinstance(key_value("dim=48")[1], int)


@pytest.mark.parametrize("word", ["dim", "=3", "2x=3", "a-b=1", ""])
def test_what_is_no_key_value_is_refused(word):
    with pytest.raises(InputError, match="expected KEY=VALUE") as caught:
        key_value(word)
    assert repr(word) in str(caught.value)
