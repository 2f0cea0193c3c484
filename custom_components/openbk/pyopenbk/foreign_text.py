"""Text that somebody else chose, made safe to show: one bounded line, never Markdown or HTML."""

import re
from typing import Final

# A client id has at most 64 bytes, a Wi-Fi name 32, a build text some 50.
LONGEST_SHOWN: Final = 80
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
# It joins the parts of one emoji; every other invisible character may mislead a reader.
_JOINER: Final = "\N{ZERO WIDTH JOINER}"
_BREAKS: Final = re.compile(r"\s+")
_LINE_BREAK: Final = re.compile(r"\r?\n")
# What CommonMark and GitHub's extensions of it (tables, strikethrough, bare links) act upon. A
# colon or a dot only counts where a link could begin, and these only at the start of a line.
_MARKUP: Final = re.compile(r"[\\`*_\[\]<>&~|@$]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_BLOCK_MARKER: Final = re.compile(r"\d+(?=[.)](?: |$))|(?=[#+=-])")


def one_line(text: str, limit: int = LONGEST_SHOWN) -> str:
    """Return the text as one printable line of at most ``limit`` characters.

    Line breaks and tabs become blanks. Controls, lone surrogates and characters that turn the
    direction of writing become U+FFFD; what is too long ends with an ellipsis. For titles, logs
    and stored names, which are shown as they are; a dialog needs ``markdown_text``.
    """
    # Whoever sends a megabyte is not to cost one here.
    line = _BREAKS.sub(" ", text[: 4 * limit]).strip()
    if len(line) > limit or len(text) > 4 * limit:
        line = line[: limit - 1].rstrip() + "…"
    return "".join(
        letter if letter.isprintable() or letter == _JOINER else _REPLACEMENT
        for letter in line
    )


def markdown_text(text: str, limit: int = LONGEST_SHOWN) -> str:
    """Return Markdown that shows the text as ``one_line`` has it, and nothing else.

    For placeholders of dialogs, issues and cards, which Home Assistant renders as Markdown.
    """
    line = _MARKUP.sub(r"\\\g<0>", one_line(text, limit))
    if (marker := _BLOCK_MARKER.match(line)) is not None:
        return f"{marker[0]}\\{line[marker.end() :]}"
    return line


def markdown_code(text: str, limit: int = LONGEST_SHOWN) -> str:
    """Return Markdown that shows the text as code, whatever is in it; line breaks show as ⏎."""
    line = one_line(_LINE_BREAK.sub(" ⏎ ", text[: 4 * limit]), limit)
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    # The blanks keep a backtick at an edge apart from the fence, and do not show.
    pad = " " if "`" in line[:1] + line[-1:] else ""
    return f"{fence}{pad}{line or '–'}{pad}{fence}"
