"""Text from files on its way out: to a terminal and into Markdown.

Names of tensors, attributes, folders and labels come from files that anybody may have written. A
control character in one moves the cursor or recolours the terminal, a bidirectional override shows
words in another order, a lone surrogate can't be encoded, and a vertical bar ends a cell of a
Markdown table. What prints or writes a page calls these functions, so that what makes the text
need not.
"""

import re
import unicodedata

# Of one line on a terminal. Longer ones lose their middle: what is wrong and the advice stay.
LONGEST_MESSAGE = 1000
# As long as a path can be: scripts read the lines that a command prints.
LONGEST_LINE = 4096

_ELLIPSIS = "…"
# Before what would begin a block: a heading, a list, a fence, an underline, a rule.
_BLOCK_START = re.compile(r"^(#|[-+=](?=[-+= ]|$))")
# At the end of a heading, these are left out.
_HEADING_END = re.compile(r"(?<= )(?=#+$)")
_NUMBERED = re.compile(r"^(\d+)(?=[.)](?: |$))")
# An underscore within a word, as in ``cls_token``, is no emphasis.
_MARKS = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
_LINKS = re.compile(r"(?<=www)\.|:(?=//)", re.IGNORECASE)
# Of an entity, a tag or a quotation; between spaces these are signs of their own.
_HTML = re.compile(r"&(?! )|<(?! )|>(?! )|^>")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def visible(text: str) -> str:
    r"""The text on one line, with an escape such as ``\x1b`` for each character that has no shape.

    These are the control characters C0 and C1, line and paragraph separators, formatting characters
    (among them all that change the direction of text), lone surrogates, and code points that are
    private or not assigned. Spaces of any width stay.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or unicodedata.category(character) == "Zs"
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def shortened(text: str, longest: int) -> str:
    """The text, or its beginning and end with an ellipsis between them: ``longest`` characters."""
    if len(text) <= longest:
        return text
    kept = longest - len(_ELLIPSIS)
    end = kept // 2
    return text[: kept - end] + _ELLIPSIS + text[len(text) - end :]


def for_terminal(text: object, longest: int = LONGEST_MESSAGE) -> str:
    r"""One line that does nothing to a terminal but show itself, of ``longest`` characters at most.

    Example:
        >>> for_terminal("blocks.0\x1b[31m\nred")
        'blocks.0\\x1b[31m\\nred'
    """
    return shortened(visible(str(text)), longest)


def for_markdown(text: object) -> str:
    r"""One line of Markdown that shows the text, in a cell of a table and anywhere else.

    Marks get a backslash, and the signs of HTML are written as entities. Names that are common
    (``blocks.0.attn.qkv.weight``, ``cls_token``) stay as they are.

    Example:
        >>> for_markdown("cls_token | *a* <b>")
        'cls_token \\| \\*a\\* &lt;b&gt;'
    """
    # Spaces in a row are shown as one; four of them could begin a block of code.
    line = re.sub(r"\s+", " ", visible(str(text))).strip()
    line = _MARKS.sub(r"\\\g<0>", line)
    line = _HTML.sub(lambda sign: _ENTITIES[sign.group()], line)
    line = _LINKS.sub(r"\\\g<0>", line)
    line = _HEADING_END.sub(r"\\", _BLOCK_START.sub(r"\\\1", line))
    return _NUMBERED.sub(r"\1\\", line)


def markdown_code(text: object) -> str:
    """The text as a code span of Markdown, in which nothing has a meaning; not for tables."""
    line = visible(str(text))
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}"
