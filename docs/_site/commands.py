"""The reference of the commands, as Markdown, from their argparse parsers."""

import argparse
import html
import re
from collections.abc import Iterable, Iterator

from analyses.command import arguments as plot_arguments
from landscape.training.command import arguments as train_arguments

# The group and the entry of a flag.
_Entries = dict[str, list[str]]


def landscape_train() -> str:
    """The page of landscape-train."""
    parser = train_arguments.build_parser()
    return "\n".join([*_heading(parser), *_groups(_entries(parser), "##")])


def landscape_plot() -> str:
    """The page of landscape-plot: the flags that all subcommands share, then those of each."""
    parser = plot_arguments.build_parser()
    commands = subcommands(parser)
    entries = {name: _entries(command) for name, command in commands.items()}
    first, *others = entries.values()
    shared = {
        group: [entry for entry in flags if all(entry in other.get(group, []) for other in others)]
        for group, flags in first.items()
    }
    lines = [*_heading(parser), *_groups(_entries(parser), "##")]
    lines += ["## The flags of every command", "", *_groups(shared, "###")]
    for name, command in commands.items():
        lines += [f"## landscape-plot {name} {{ #{name} }}", "", _text(command.description or "")]
        lines += ["", *_usage(command)]
        only = {
            group: [entry for entry in flags if entry not in shared.get(group, [])]
            for group, flags in entries[name].items()
        }
        # The flags of a measure stand in a group of its name, beneath a heading of that name.
        lines += [*only.pop(name, []), *_groups(only)]
    return "\n".join(lines)


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of a parser's subcommands, by name."""
    (choice,) = (
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )
    return dict(choice.choices)


def _heading(parser: argparse.ArgumentParser) -> list[str]:
    lines = [f"# {parser.prog}", "", _text(parser.description or ""), "", *_usage(parser)]
    examples = (parser.epilog or "").removeprefix("examples:\n").rstrip()
    return [*lines, "Examples:", "", "```text", *_dedented(examples.splitlines()), "```", ""]


def _dedented(lines: Iterable[str]) -> Iterator[str]:
    return (line.removeprefix("  ") for line in lines)


def _usage(parser: argparse.ArgumentParser) -> list[str]:
    usage = parser.usage or f"{parser.prog} [options]"
    if parser.usage is None and any(
        isinstance(action, argparse._SubParsersAction) for action in parser._actions
    ):
        usage = f"{parser.prog} ANALYSIS [options] [LABEL=]CHECKPOINT ..."
    return ["```text", usage, "```", ""]


def _entries(parser: argparse.ArgumentParser) -> _Entries:
    """The entries of a parser's flags, by the title of their group."""
    formatter = argparse.HelpFormatter(parser.prog)
    return {
        group.title or "": [
            _entry(action, formatter)
            for action in group._group_actions
            if action.help != argparse.SUPPRESS
            and not isinstance(action, argparse._SubParsersAction | argparse._HelpAction)
        ]
        for group in parser._action_groups
    }


def _entry(action: argparse.Action, formatter: argparse.HelpFormatter) -> str:
    text = _text(formatter._expand_help(action)) if action.help else ""
    if action.option_strings and "default" not in text and _says_something(action.default):
        text += f" (default: {_text(_shown(action.default))})"
    return f"`{formatter._format_action_invocation(action)}`\n:   {text}\n"


def _says_something(default: object) -> bool:
    return default not in (None, False, "", argparse.SUPPRESS) and default != [] and default != ()


def _shown(default: object) -> str:
    if isinstance(default, (list, tuple)):
        return " ".join(str(value) for value in default)
    return "on" if default is True else str(default)


def _groups(entries: _Entries, level: str = "") -> list[str]:
    """Groups of flags under headings of this level; without it, under titles that are no headings.

    Groups that every command has would fill the table of contents.
    """
    lines = []
    for title, flags in entries.items():
        if flags:
            words = f"{title[:1].upper()}{title[1:]}"
            lines += [f"{level} {words}" if level else f"**{words}**", "", *flags]
    return lines


def _text(text: str) -> str:
    """Text as Markdown that shows it as it is, flags as code."""
    escaped = re.sub(r"([\\`*_\[\]])", r"\\\1", html.escape(text, quote=False))
    return re.sub(r"(?<![\w-])(--[a-z][\w-]*)", r"`\1`", escaped)
