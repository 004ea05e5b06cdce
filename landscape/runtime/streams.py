"""Standard output and error as a command needs them: open, and able to print any text."""

import io
import os
import sys


def prepare_streams() -> None:
    """Let a command print to streams that are closed or that know few characters.

    A stream that the shell has closed (``2>&-``) becomes /dev/null. Otherwise its descriptor would
    go to the next file that is opened, into which a library might then print its messages. A
    character that the terminal's encoding lacks is printed as its number, ``\\u03c3``.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            _open_on(descriptor)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115, PTH123
        elif name != "stdin" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_text(word: str) -> bool:
    """Whether a word of a command line or a file's name is text, which can be written in UTF-8."""
    try:
        word.encode()
    except UnicodeEncodeError:  # Python keeps other bytes as surrogates
        return False
    return True


def no_text(word: str) -> str:
    """What is wrong with a word for which :func:`is_text` is false, and what to do."""
    return (
        f"{ascii(word)} holds bytes that are not text in {sys.getfilesystemencoding()}, the "
        "encoding of file names here, so that results can't name it; rename it, or name it through "
        "a link"
    )


def _open_on(descriptor: int) -> None:
    """Open /dev/null on a descriptor, unless something else is open there by now."""
    try:
        os.fstat(descriptor)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != descriptor:
            os.dup2(null, descriptor)
            os.close(null)
