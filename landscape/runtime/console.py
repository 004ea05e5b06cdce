"""What both commands share: one-line errors, exit statuses, ``--debug`` and ``--quiet``."""

import argparse
import errno
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from landscape.errors import (
    IncompleteError,
    InputError,
    LandscapeError,
    SaveError,
    reason_of,
)
from landscape.runtime.machine.allocator import keep_freed_memory
from landscape.runtime.machine.threads import threads
from landscape.runtime.progress import show_messages
from landscape.runtime.streams import is_text, no_text, prepare_streams
from landscape.runtime.visible_text import LONGEST_LINE, for_terminal

# Exit statuses.
DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
DEBUG_HINT = " (--debug shows where)"

_NEGATIVE_RANGE = re.compile(r"-[\d.].*:")


class Parser(argparse.ArgumentParser):
    """An argument parser with one-line errors, which takes flags and positionals in any order."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse as argparse does, after moving the words that belong to no flag to the end."""
        words = list(sys.argv[1:] if args is None else args)
        if self._subparsers is None and self._get_positional_actions():
            words = self._positionals_last(words)
        return super().parse_known_args(words, namespace)

    def _positionals_last(self, words: list[str]) -> list[str]:
        """Move the words that belong to no flag behind all flags.

        argparse takes positionals from one place only, and a flag with several values takes every
        word that follows. Here ``CHECKPOINT --model-args depth=2 CHECKPOINT`` is one model argument
        and two checkpoints.
        """
        flags: list[str] = []
        positionals: list[str] = []
        values_of: argparse.Action | None = None
        flag = ""
        for number, word in enumerate(words):
            if word == "--":
                positionals += words[number + 1 :]
                break
            if values_of is not None and values_of.nargs is None:
                flags.append(word)  # the one value of the flag before
                values_of = None
            elif word.startswith("-") and len(word) > 1:
                flags.append(word)
                flag = word
                action = self._option_string_actions.get(word)
                values_of = action if action is not None and action.nargs != 0 else None
            elif values_of is not None and (
                flags[-1] == flag or _goes_on(values_of, flags[-1], word)
            ):
                flags.append(word)
            else:
                positionals.append(word)
        return [*flags, "--", *positionals] if positionals else flags

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with 2."""
        line = for_terminal(message)
        self.exit(WRONG_INPUT, f"{self.prog}: error: {line} (see {self.prog} --help)\n")


def add_console_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags --config, --debug and --quiet."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="settings out of a file (.toml, .yaml, .json) with the names of flags as keys, which "
        "flags override; also config.json of a run, and a result (.json, .h5), which repeats it",
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.add_argument("--quiet", action="store_true", help="no progress, only results and errors")


def add_trust_option(parser: argparse._ActionsContainer) -> None:
    """Add the flag --trust, which allows what files say as if the command line said it."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help="run code, open files and load models that checkpoints and config.json name, and "
        "checkpoints that hold more than tensors; only for files that you made yourself",
    )


def run_command(
    program: str,
    command: Callable[[argparse.Namespace], None],
    build_parser: Callable[[], argparse.ArgumentParser],
    argv: Sequence[str] | None,
    *,
    when_interrupted: str,
    expand: Callable[[argparse.ArgumentParser, list[str]], list[str]] | None = None,
) -> int:
    """Parse the command line, run a command, and turn its errors into a line and an exit status.

    Args:
        program: The name of the command.
        command: What to run, given the parsed arguments.
        build_parser: Makes the parser.
        argv: The words of the command line; those of this process if None.
        when_interrupted: What to tell a user who pressed Ctrl-C.
        expand: Replaces words that stand for others, before they are parsed.

    Returns:
        0 if all went well, 2 for wrong input, 130 after Ctrl-C, 1 for any other failure.
    """
    prepare_streams()
    words = join_ranges(sys.argv[1:] if argv is None else argv)
    is_debug = "--debug" in words
    try:
        _check_text(words)
        # An installed package may bring what can't be used.
        parser = build_parser()
        arguments = parser.parse_args(words if expand is None else expand(parser, words))
        is_debug = arguments.debug
        show_messages(quiet=arguments.quiet)
        keep_freed_memory()
        if "torch" not in sys.modules:
            threads()
        try:
            command(arguments)
        except SystemExit as error:  # a user's own code may call sys.exit()
            return _report(program, error, is_debug, FAILED)
    except InputError as error:
        return _report(program, error, is_debug, WRONG_INPUT)
    except IncompleteError as error:
        return _report(program, error, is_debug, WRONG_INPUT if error.is_input else FAILED)
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{program}: interrupted; {when_interrupted}\n")
        return INTERRUPTED
    except Exception as error:
        is_name = isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG
        return _report(program, error, is_debug, WRONG_INPUT if is_name else FAILED)
    return DONE


def show(*lines: object) -> None:
    """Print lines of results to standard output, each as one line whatever it holds.

    If the reader has gone, as in ``... | head -1``, the work continues without printing.

    Raises:
        SaveError: Standard output goes to a file, and there is no room.
    """
    try:
        print(*(for_terminal(line, LONGEST_LINE) for line in lines), sep="\n", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise SaveError(
            f"standard output can't be written: {error.strerror or error}; what was saved is whole"
        ) from error


def show_traceback(error: BaseException) -> None:
    """Print an error's traceback to standard error, each line of it on one line."""
    lines = "".join(traceback.format_exception(error)).split("\n")
    sys.stderr.writelines(f"{for_terminal(line, LONGEST_LINE)}\n" for line in lines[:-1])


def _check_text(words: Sequence[str]) -> None:
    """Raise InputError for a word that is no text: results and pages name every file in UTF-8."""
    for word in words:
        if not is_text(word):
            raise InputError(no_text(word))


def _goes_on(action: argparse.Action, last: str, word: str) -> bool:
    """Whether ``word`` is a further value of a flag; a file pattern in quotes stands alone."""
    return not any(sign in last for sign in "*?[") and _fits(action, word)


def _fits(action: argparse.Action, word: str) -> bool:
    """Whether ``word`` can be a value of a flag that takes several."""
    try:
        if callable(action.type):
            action.type(word)
    except (ValueError, argparse.ArgumentTypeError):
        return False
    return True


def join_ranges(argv: Sequence[str]) -> list[str]:
    """Write ``--x -1:1:51`` as ``--x=-1:1:51``: argparse would take ``-1:1:51`` for a flag."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1].startswith("--") and _NEGATIVE_RANGE.match(word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _report(program: str, error: BaseException, debug: bool, status: int) -> int:
    """Print the error, as one line or with ``--debug`` as a traceback; returns ``status``."""
    if debug and not isinstance(error, IncompleteError):  # which has none of its own
        show_traceback(error)
        return status
    lines = error.lines if isinstance(error, IncompleteError) else [reason_of(error)]
    hint = "" if isinstance(error, LandscapeError) else DEBUG_HINT
    for line in lines:
        sys.stderr.write(f"{program}: error: {for_terminal(line)}{hint}\n")
    return status
