"""``--completion SHELL``: a script that completes flags, their values and subcommands."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass

from landscape.command_line.flags import flags_of, subparsers_of, takes_path
from landscape.runtime.console import show

SHELLS = ("bash", "zsh", "fish")
# Words of a script that no shell reads anything into; others are left out.
_PLAIN = re.compile(r"[A-Za-z0-9_.:=,+/-]+")


@dataclass(frozen=True)
class _Values:
    """What follows a flag: one of several words, a path, or what nobody can complete."""

    words: tuple[str, ...] = ()
    is_path: bool = False


class PrintCompletion(argparse.Action):
    """Prints the script and exits, whatever else is given or missing."""

    def __call__(
        self, parser: argparse.ArgumentParser, _: object, shell: object, *__: object
    ) -> None:
        """Print it."""
        show(*completion(parser, str(shell)).splitlines())
        parser.exit()


def add_completion_option(parser: argparse.ArgumentParser) -> None:
    """Add the flag --completion."""
    parser.add_argument(
        "--completion",
        action=PrintCompletion,
        choices=SHELLS,
        help='print a script for this shell, such as: eval "$(PROGRAM --completion bash)"'.replace(
            "PROGRAM", parser.prog
        ),
    )


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script that completes a command.

    Args:
        parser: of the command.
        shell: one of :data:`SHELLS`.
    """
    write = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]
    return write(parser)


def _flags(parser: argparse.ArgumentParser) -> list[str]:
    return [flag for action in flags_of(parser).values() for flag in action.option_strings]


def _values(parser: argparse.ArgumentParser) -> Iterator[tuple[list[str], _Values]]:
    """The flags of a parser that take values, with these."""
    for action in flags_of(parser).values():
        if action.nargs == 0:
            continue
        words = [str(word) for word in action.choices or () if _PLAIN.fullmatch(str(word))]
        yield list(action.option_strings), _Values(tuple(words), takes_path(action))


def _cases(parser: argparse.ArgumentParser) -> list[str]:
    """The branches of a shell's case that set ``choices`` and ``paths`` by the flag before."""
    by_values: dict[_Values, list[str]] = {}
    for flags, values in _values(parser):
        by_values.setdefault(values, []).extend(flags)
    return [
        f"        {'|'.join(flags)}) choices='{' '.join(values.words)}'; "
        f"paths={int(values.is_path)}; flags='';;"
        for values, flags in by_values.items()
    ]


def _function(parser: argparse.ArgumentParser, name: str) -> list[str]:
    """A function of bash and zsh: sets ``choices``, ``paths``, ``flags`` for command and flag."""
    lines = [f"{name}() {{", "    choices=; paths=0; flags=", '    case "$1" in']
    commands = subparsers_of(parser)
    for command, chosen in {"": parser, **commands}.items():
        has_paths = any(takes_path(action) for action in chosen._get_positional_actions())
        first = " ".join(commands) if not command else ""
        lines += [
            f"    '{command}')",
            f"        choices='{first}'; paths={int(has_paths)}",
            f"        flags='{' '.join(_flags(chosen))}'",
            '        case "$2" in',
            *_cases(chosen),
            "        esac;;",
        ]
    return [*lines, "    esac", "}"]


def _command_loop(parser: argparse.ArgumentParser, words: str) -> list[str]:
    """Lines that set ``command`` to the subcommand among the words before."""
    commands = "|".join(subparsers_of(parser))
    if not commands:
        return ["    local command=''"]
    return [
        "    local command='' word",
        f"    for word in {words}; do",
        f'        case "$word" in {commands}) command="$word"; break;; esac',
        "    done",
    ]


def _bash(parser: argparse.ArgumentParser) -> str:
    name = "_" + parser.prog.replace("-", "_")
    lines = [
        *_function(parser, f"{name}_words"),
        f"{name}() {{",
        "    local choices paths flags",
        '    local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"',
        # Bash has = as a word of its own.
        '    if [[ $current == "=" ]]; then current=; fi',
        '    if [[ $before == "=" ]]; then before="${COMP_WORDS[COMP_CWORD-2]}"; fi',
        *_command_loop(parser, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"'),
        f'    {name}_words "$command" "$before"',
        '    if [[ $current == -* ]]; then choices="$flags"; paths=0; fi',
        '    COMPREPLY=( $(compgen -W "$choices" -- "$current") )',
        "    if [[ $paths == 1 ]]; then",
        "        local IFS=$'\\n'",
        '        COMPREPLY+=( $(compgen -f -- "$current") )',
        "        compopt -o filenames 2>/dev/null",
        "    fi",
        "}",
        f"complete -F {name} {parser.prog}",
    ]
    return "\n".join(lines)


def _zsh(parser: argparse.ArgumentParser) -> str:
    name = "_" + parser.prog.replace("-", "_")
    lines = [
        f"#compdef {parser.prog}",
        *_function(parser, f"{name}_words"),
        f"{name}() {{",
        '    local -a all=("${(@)words[2,CURRENT-1]}")',
        '    local current="${words[CURRENT]}" before="${words[CURRENT-1]}"',
        *_command_loop(parser, '"${all[@]}"'),
        "    local choices paths flags",
        f'    {name}_words "$command" "$before"',
        '    if [[ $current == -* ]]; then choices="$flags"; paths=0; fi',
        "    compadd -- ${=choices}",
        "    if [[ $paths == 1 ]]; then _files; fi",
        "}",
        f"compdef {name} {parser.prog}",
    ]
    return "\n".join(lines)


def _fish(parser: argparse.ArgumentParser) -> str:
    commands = subparsers_of(parser)
    lines = [f"complete -c {parser.prog} -f"]
    if commands:
        lines.append(
            f"complete -c {parser.prog} -n __fish_use_subcommand -a '{' '.join(commands)}'"
        )
    for command, chosen in {"": parser, **commands}.items():
        condition = (
            "__fish_use_subcommand" if not command else f"__fish_seen_subcommand_from {command}"
        )
        start = f"complete -c {parser.prog}" + (f" -n '{condition}'" if commands else "")
        values = {flag: value for flags, value in _values(chosen) for flag in flags}
        if any(takes_path(action) for action in chosen._get_positional_actions()):
            lines.append(f"{start} -F")
        for flag in _flags(chosen):
            option = f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
            takes = values.get(flag)
            value = "" if takes is None else " -r -F" if takes.is_path else " -x"
            if takes is not None and takes.words:
                value += f" -a '{' '.join(takes.words)}'"
            lines.append(f"{start} {option}{value}")
    return "\n".join(lines)
