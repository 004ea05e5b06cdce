"""The flags of a parser: which there are, which take paths, and which a command line gives."""

import argparse
from collections.abc import Sequence

# Of a value that names a file or a folder, in what --help calls it.
_OF_PATHS = ("FILE", "DIR", "RUN", "CHECKPOINT")
# Flags that say what the command is to do once, and are no settings.
_NO_SETTINGS = ("help", "config", "trust", "completion", "list", "list_recipes")


def subparsers_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The subcommands of a parser by name; empty if it has none."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def flags_of(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """All flags of a parser, by the name of their value."""
    return {action.dest: action for action in parser._actions if action.option_strings}


def settings_of(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """The flags of a parser that are settings, which a file may have."""
    return {key: action for key, action in flags_of(parser).items() if key not in _NO_SETTINGS}


def takes_path(action: argparse.Action) -> bool:
    """Whether a value of the flag or word may be the path of a file or folder."""
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    return any(word in metavar for word in _OF_PATHS)


def given_on(words: Sequence[str], parser: argparse.ArgumentParser) -> dict[str, str]:
    """The names of the flags that words give, with the first value of each or ""."""
    names = {flag: action for action in parser._actions for flag in action.option_strings}
    given: dict[str, str] = {}
    for number, word in enumerate(words):
        if word == "--":
            break
        flag, separator, value = word.partition("=")
        action = names.get(flag)
        if action is None and not word.startswith("--"):
            action = names.get(word[:2])  # -b64
        if action is not None:
            following = words[number + 1] if number + 1 < len(words) else ""
            given[action.dest] = value if separator else following
    return given


def long_flag(key: str) -> str:
    """The flag whose value is called ``key``."""
    return "--" + key.replace("_", "-")
