"""Text from files does nothing to a terminal or to Markdown but show itself."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from landscape.runtime.visible_text import (
    for_markdown,
    for_terminal,
    markdown_code,
    shortened,
    visible,
)

# Any characters at all, and many of those that mean something.
TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from("|`*_[]()<>&\\~$#-+=!:/.1a \n\t\r\x1b\x9b\u202e\u2028\ud800"),
    ),
    max_size=40,
)
HARMLESS = (
    "blocks.0.attn.qkv.weight",
    "cls_token",
    "vit-tiny-sam",
    "a b",
    "λ_max = 3",
    "fünf, 2 × 3",
)
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def words_of(tokens):
    """The text of inline tokens; anything that is not text is told by its kind."""
    shown = [token.content if token.type == "text" else f"<{token.type}>" for token in tokens]
    return "".join(shown)


def spaced(text):
    return re.sub(r"\s+", " ", visible(text)).strip()


@given(TEXTS)
@example("\x1b]0;title\x07\x1b[31mred\x9b2J\x85\u2028\u202eevil\u2066\ud800\x00\x7f")
def test_a_terminal_gets_one_line_without_control_characters(text):
    line = for_terminal(text)
    assert len(line.splitlines()) <= 1
    # The rule is an independent one: the categories of Unicode.
    for character in line:
        category = unicodedata.category(character)
        assert category[0] != "C", character
        assert category not in ("Zl", "Zp"), character
    line.encode("utf-8")


@pytest.mark.parametrize("text", [*HARMLESS, "/a/path with spaces/x.pt", "50\u202f%", "文字", "🙂"])
def test_what_can_be_shown_stays_as_it_is(text):
    assert for_terminal(text) == text


def test_escapes_are_those_of_python():
    assert for_terminal("a\x1b[31m\n\u202e\x9b\udc80") == r"a\x1b[31m\n\u202e\x9b\udc80"


@given(st.text(max_size=300), st.integers(1, 80))
def test_a_long_text_keeps_its_beginning_and_its_end(text, longest):
    cut = shortened(text, longest)
    if len(text) <= longest:
        assert cut == text
        return
    assert len(cut) == longest
    begin, _, end = cut.partition("…") if "…" not in text else ("", "", "")
    assert text.startswith(begin)
    assert text.endswith(end)
    assert abs(len(begin) - len(end)) <= 1


def test_a_key_of_a_megabyte_is_cut():
    line = for_terminal(f"x.pt does not fit: {'k' * 2**20}\x1b; check --model")
    assert len(line) == 1000
    assert line.startswith("x.pt does not fit: kkk")
    assert line.endswith(r"kkk\x1b; check --model")


@given(TEXTS)
@example("a | b")
@example("\\|")
@example("<script>alert(1)</script> &amp; <b>")
@example("[x](javascript:1) ![y](z) `code` **bold** __init__ _a_ ~~no~~")
@example("a\n| --- |\nb")
def test_a_table_keeps_its_shape_and_shows_the_text(text):
    cell = for_markdown(text)
    page = f"| {cell} | second |\n|---|---:|\n| 1 | {cell} |\n| {cell} | {cell} |\n"
    tokens = PARSER.parse(page)
    kinds = [token.type for token in tokens]
    assert [kinds.count(f"{kind}_open") for kind in ("table", "tr", "th", "td")] == [1, 3, 2, 4]
    assert kinds[0] == "table_open"
    assert kinds[-1] == "table_close"
    shown = [words_of(token.children) for token in tokens if token.type == "inline"]
    text = spaced(text)
    assert shown == [text, "second", "1", text, text, text]


@given(TEXTS)
@example("# heading #")
@example("0 ##")
@example("1. one")
@example("-    code")
@example("---")
@example("> quoted")
@example("~~~")
@example("    four spaces")
def test_a_list_and_a_paragraph_hold_the_text_alone(text):
    line = for_markdown(text)
    tokens = PARSER.parse(f"- {line} end\n\n{line} end\n\n# {line}\n")
    outside = [token.type for token in tokens if token.type != "inline"]
    assert outside == [
        *("bullet_list_open", "list_item_open", "paragraph_open", "paragraph_close"),
        *("list_item_close", "bullet_list_close"),
        *("paragraph_open", "paragraph_close", "heading_open", "heading_close"),
    ]
    shown = [words_of(token.children) for token in tokens if token.type == "inline"]
    text = spaced(text)
    assert shown == [f"{text} end".strip(), f"{text} end".strip(), text]


@pytest.mark.parametrize("text", [*HARMLESS, "-1.5 ± 0.2", "p < 0.05", "R & D", "(2, 3)"])
def test_ordinary_names_and_numbers_stay_as_they_are(text):
    assert for_markdown(text) == text


@pytest.mark.parametrize("address", ["https://evil.example", "www.evil.example", "FTP://x.example"])
def test_addresses_are_no_links(address):
    assert address not in for_markdown(f"see {address}")
    assert words_of(PARSER.parse(for_markdown(address))[1].children) == address


@given(TEXTS.filter(lambda text: text.strip()))
@example("`")
@example("``a`b``")
def test_a_code_span_shows_the_text_alone(text):
    (token,) = [token for token in PARSER.parse(f"- by {markdown_code(text)}.") if token.children]
    before, code, after = token.children
    assert (before.content, code.type, after.content) == ("by ", "code_inline", ".")
    assert code.content.strip() == visible(text).strip()
