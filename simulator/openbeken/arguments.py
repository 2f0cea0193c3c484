"""What follows a command, taken apart as the firmware's tokenizer does."""

from collections.abc import Callable, Iterator
import re
from typing import Final

from .expressions import Constants, to_integer
from .text import decode, encode

BLANKS: Final = " \t\n\r"

_BUFFER: Final = 512
"""With its final NUL; what does not fit is lost without a word (cmd_tokenizer.c)."""
_MOST_ARGUMENTS: Final = 32
_EXPANDED: Final = 40
"""The room, NUL included, for an argument that a constant was put into."""
_HEX: Final = re.compile(r"0x([0-9a-fA-F]*)")


class Arguments:
    """The arguments of one command.

    They end at blanks, tabs and line ends. One that begins with a double quote ends at the
    next one, or never; nothing escapes a quote. The first argument always, others only in
    commands that allow quotes. An argument that begins with ``$`` is replaced by what it
    names, in quotes too. Source: cmd_tokenizer.c of OpenBeken 1.18.300, and 323 recorded
    cases.
    """

    def __init__(
        self,
        text: str,
        constants: Constants,
        *,
        command: str = "",
        quotes: bool = False,
        complain: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Split a text; bytes that are no UTF-8 are surrogates in it."""
        self.command = command
        """The name by which the command was called."""
        self.text = text
        """All of it, as it came."""
        self._constants = constants
        self._complain = complain
        self._line = encode(text.lstrip(BLANKS))
        self._words = list(_split(self._line[: _BUFFER - 1], quotes=quotes))

    def with_quotes(self) -> Arguments:
        """Return the same text split by a command that allows quotes everywhere."""
        return Arguments(
            self.text,
            self._constants,
            command=self.command,
            quotes=True,
            complain=self._complain,
        )

    def expanded(self) -> Arguments:
        """Return the same text with its constants put in before it is split, as publish does.

        Quotes are allowed and can be escaped there.
        """
        text = self._constants.put_into(self.text.lstrip(BLANKS), _BUFFER - 1)
        early = Arguments(
            text, self._constants, command=self.command, complain=self._complain
        )
        early._words = list(_split(early._line, quotes=True, escapes=True))
        return early

    def are_fewer_than(self, count: int) -> bool:
        """Return whether the command has too few, which the log tells."""
        if len(self) >= count:
            return False
        self._complain(
            f"Cant run '{self.command}', expected at least {count} args "
            f"(given {len(self)})"
        )
        return True

    def __len__(self) -> int:
        """Return how many arguments there are."""
        return len(self._words)

    def raw(self, index: int) -> str:
        """Return an argument with its constants as they were typed; empty where it is none."""
        inside = 0 <= index < len(self._words)
        return decode(self._words[index][1]) if inside else ""

    def word(self, index: int) -> str:
        """Return an argument; empty where there are not so many."""
        word = self.raw(index)
        if not word.startswith("$"):
            return word
        value = self._constants.text_of(word)
        return decode(encode(value)[: _EXPANDED - 1])

    def integer(self, index: int, default: int = 0) -> int:
        """Return an argument as an integer, computed where it is an expression."""
        if index >= len(self._words):
            return default
        word = self.raw(index)
        if match := _HEX.match(word):
            return _signed(int(match[1] or "0", 16))
        return to_integer(self._constants.evaluate(word))

    def number(self, index: int) -> float:
        """Return an argument as a number, computed where it is an expression."""
        return self._constants.evaluate(self.raw(index))

    def is_integer(self, index: int) -> bool:
        """Return whether an argument counts as a number that was meant."""
        word = self.raw(index)
        return word.startswith(("$", "0x")) or (word.isascii() and word.isdigit())

    def integers(self) -> list[int]:
        """Return all arguments as integers."""
        return [self.integer(index) for index in range(len(self))]

    def numbers(self) -> list[float]:
        """Return all arguments as numbers."""
        return [self.number(index) for index in range(len(self))]

    def after(self, count: int) -> str:
        """Return the text behind the first ``count`` arguments, quotes and length kept."""
        if count >= len(self._words):
            return ""
        return decode(self._line[self._words[count][0] :])


def _signed(number: int) -> int:
    """Return a number's lowest 32 bits as the chip's int."""
    number &= 0xFFFFFFFF
    return number - (number >> 31 << 32)


def leading_word(text: str) -> tuple[str, str]:
    """Return the first word of a line and the rest without the blanks between them."""
    end = next((at for at, char in enumerate(text) if char in BLANKS), len(text))
    return text[:end], text[end:].lstrip(BLANKS)


def _split(
    line: bytes, *, quotes: bool, escapes: bool = False
) -> Iterator[tuple[int, bytes]]:
    """Yield where each argument begins, and the argument."""
    blanks = BLANKS.encode()
    found = at = 0
    while at < len(line) and found < _MOST_ARGUMENTS:
        if line[at] in blanks:
            at += 1
            continue
        # Behind a closing quote an argument begins only after a blank.
        begins = at == 0 or line[at - 1] in blanks
        if begins and line[at : at + 1] == b'"' and (quotes or found == 0):
            start, end = at + 1, _closing_quote(line, at + 1, escapes=escapes)
            word = line[start:end]
            yield start, word.replace(b'\\"', b'"') if escapes else word
            at = end + 1
            found += 1
            continue
        end = at
        while end < len(line) and line[end] not in blanks:
            end += 1
        if begins:
            yield at, line[at:end]
            found += 1
        at = end


def _closing_quote(line: bytes, start: int, *, escapes: bool) -> int:
    for at in range(start, len(line)):
        if line[at : at + 1] == b'"' and not (escapes and line[at - 1 : at] == b"\\"):
            return at
    return len(line)
