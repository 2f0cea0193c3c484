"""What others wrote is shown as text: the expected Markdown was rendered by Home Assistant's own frontend."""

import pytest

from custom_components.openbk.pyopenbk.foreign_text import (
    LONGEST_SHOWN,
    markdown_code,
    markdown_text,
    one_line,
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("obk8C123456", "obk8C123456"),
        ("Küche ☕ 洗濯機", "Küche ☕ 洗濯機"),
        ("👩‍🔧", "👩‍🔧"),
        ("  two\r\n\tlines\n", "two lines"),
        ("a\x00b\x1b[31m", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31m"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
        ("pin\N{RIGHT-TO-LEFT OVERRIDE}gnp", "pin\N{REPLACEMENT CHARACTER}gnp"),
    ],
)
def test_foreign_text_becomes_one_printable_line(text: str, line: str) -> None:
    assert one_line(text) == line
    one_line(text).encode()


@pytest.mark.parametrize("length", [LONGEST_SHOWN + 1, 1_000_000])
def test_a_long_text_ends_with_an_ellipsis(length: int) -> None:
    assert one_line("x" * length) == "x" * (LONGEST_SHOWN - 1) + "…"
    assert one_line("x" * LONGEST_SHOWN) == "x" * LONGEST_SHOWN
    assert one_line("word " * length, 8) == "word wo…"
    assert len(one_line(" " * length + "x")) <= LONGEST_SHOWN


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("obk8C123456", "obk8C123456"),
        ("c8:47:8c:12:34:56", "c8:47:8c:12:34:56"),
        ("OpenBK7231N 1.18.299", "OpenBK7231N 1.18.299"),
        ("192.168.1.5:1883", "192.168.1.5:1883"),
        ("**x**", r"\*\*x\*\*"),
        ("washing_machine_2", r"washing\_machine\_2"),
        ("[Repair](https://e.example)", r"\[Repair\](https\://e.example)"),
        ("![t](https://e.example/t.png)", r"!\[t\](https\://e.example/t.png)"),
        ("HTTP://e.example", r"HTTP\://e.example"),
        ("www.e.example, a@e.example", r"www\.e.example, a\@e.example"),
        ("<h1>FREE</h1>", r"\<h1\>FREE\</h1\>"),
        ("&lt;b&gt;", r"\&lt;b\&gt;"),
        ("`code`", r"\`code\`"),
        (r"\*", r"\\\*"),
        ("~~a~~ | b", r"\~\~a\~\~ \| b"),
        ("a\n\n# b\n- c", "a # b - c"),
        ("# b", r"\# b"),
        ("1. b", r"1\. b"),
        ("10) b", r"10\) b"),
        ("- b", r"\- b"),
        ("---", r"\---"),
        ("===", r"\==="),
    ],
)
def test_foreign_text_is_no_markdown(text: str, markdown: str) -> None:
    assert markdown_text(text) == markdown


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("SetFlag 10 1", "`SetFlag 10 1`"),
        ("backlog a; b\nc\r\nd", "`backlog a; b ⏎ c ⏎ d`"),
        ("`</details> **x**", "`` `</details> **x** ``"),
        ("a ``` b", "````a ``` b````"),
        ("", "`–`"),
    ],
)
def test_foreign_code_does_not_leave_its_span(text: str, markdown: str) -> None:
    assert markdown_code(text) == markdown
