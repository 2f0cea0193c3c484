"""The firmware's constants, such as $CH1, and the arithmetic that arguments may hold."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import fmod, inf, isnan
import re
from typing import Final

from .floats import single
from .state import DeviceState
from .text import cut, leading_float, leading_int

_OPERATORS: Final[Mapping[str, tuple[int, Callable[[float, float], float]]]] = {
    ">": (10, lambda a, b: float(a > b)),
    "<": (10, lambda a, b: float(a < b)),
    "==": (10, lambda a, b: float(a == b)),
    ">=": (10, lambda a, b: float(a >= b)),
    "<=": (10, lambda a, b: float(a <= b)),
    "!=": (10, lambda a, b: float(a != b)),
    "&&": (12, lambda a, b: float(bool(to_integer(a) and to_integer(b)))),
    "||": (12, lambda a, b: float(bool(to_integer(a) or to_integer(b)))),
    "+": (6, lambda a, b: a + b),
    "-": (6, lambda a, b: a - b),
    "*": (4, lambda a, b: a * b),
    "/": (4, lambda a, b: a / b if b else inf),
    "%": (4, lambda a, b: fmod(to_integer(a), to_integer(b)) if to_integer(b) else 0.0),
}
"""How late each is applied and what it does, in the order of cmd_if.c."""
_NEGATIVE: Final = re.compile(r"-\d")
_LARGEST: Final = 0x7FFFFFFF

type _Value = Callable[[str], float]
"""Returns the value of a constant, given the text that begins with its name."""


class Constants:
    """Looks up constants by name, whatever the case; a star in a name is any digit."""

    def __init__(self, device: DeviceState) -> None:
        """Begin with those that every socket has (cmd_if.c, OpenBeken 1.18.300)."""
        self._device = device
        self._values: dict[re.Pattern[str], _Value] = {}
        self.register(
            {
                "$CH***": lambda text: device.channel(leading_int(text[3:])),
                "$CH**": lambda text: device.channel(leading_int(text[3:])),
                "$CH*": lambda text: device.channel(leading_int(text[3:])),
                "$FLAG**": self._flag,
                "$FLAG*": self._flag,
                "$voltage": self._reading("voltage"),
                "$current": self._reading("current"),
                "$power": self._reading("power"),
                "$energy": self._reading("energycounter"),
                "$yesterday": self._reading("energycounter_yesterday"),
                "$today": self._reading("energycounter_today"),
                "$day": lambda _: self._now.isoweekday() % 7,
                "$hour": lambda _: self._now.hour,
                "$minute": lambda _: self._now.minute,
                "$second": lambda _: self._now.second,
                "$mday": lambda _: self._now.day,
                "$month": lambda _: self._now.month,
                "$year": lambda _: self._now.year,
                "$NTPOn": lambda _: device.device_clock.synced,
                "$uptime": lambda _: device.uptime,
                "$failedBoots": lambda _: device.failed_boots,
                "$intTemp": lambda _: device.chip_temperature,
            }
        )

    def register(self, values: Mapping[str, _Value]) -> None:
        """Add constants of another part."""
        for name, value in values.items():
            pattern = re.escape(name).replace(r"\*", r"\d")
            self._values[re.compile(pattern, re.ASCII | re.IGNORECASE)] = value

    def text_of(self, word: str) -> str:
        """Return what an argument that begins with ``$`` is replaced by.

        What no constant is called becomes a number that the firmware leaves undefined; 0 is
        what the BK7231N image gave for a lone ``$``.
        """
        values = self._device.settings.values
        texts = {
            "$IP": self._device.ip_address,
            "$ShortName": values.short_name,
            "$Name": values.long_name,
        }
        if word in texts:
            return texts[word]
        found = self._begins(word)
        return f"{to_integer(found[0]) if found else 0}"

    def put_into(self, text: str, room: int) -> str:
        """Return a text with the constants in it replaced, cut to ``room`` bytes.

        What no constant is called stays.
        """
        parts: list[str] = []
        at = 0
        while at < len(text):
            replacement, length = text[at], 1
            if text[at] == "$" and (found := self._begins_as_text(text[at:])):
                replacement, length = found
            parts.append(replacement)
            at += length
        return cut("".join(parts), room - 1)

    def evaluate(self, text: str) -> float:
        """Return the value of an expression in single precision, 0 where it is none."""
        text = text.strip()
        while text.startswith("(") and _matching_brace(text) == len(text) - 1:
            text = text[1:-1]
        if not text:
            return 0.0
        if operator := _last_operator(text):
            at, symbol = operator
            _, apply = _OPERATORS[symbol]
            left, right = text[:at], text[at + len(symbol) :]
            return single(apply(self.evaluate(left), self.evaluate(right)))
        if text.startswith("!"):
            return float(not self.evaluate(text[1:]))
        for name, value in self._values.items():
            if name.fullmatch(text):
                return single(value(text))
        return single(leading_float(text))

    def _begins(self, text: str) -> tuple[float, int] | None:
        """Return the value of the constant that a text begins with, and its length."""
        for name, value in self._values.items():
            if match := name.match(text):
                return single(value(text)), match.end()
        return None

    def _begins_as_text(self, text: str) -> tuple[str, int] | None:
        if found := self._begins(text):
            value, length = found
            whole = to_integer(value)
            exact = abs(whole - value) < 0.001
            return (f"{whole}" if exact else f"{value:f}"), length
        values = self._device.settings.values
        for name, value_text in (
            ("$mqtt_client", values.mqtt_client_id),
            ("$shortName", values.short_name),
            ("$name", values.long_name),
        ):
            if text[: len(name)].casefold() == name.casefold():
                return value_text, len(name)
        return None

    def _flag(self, text: str) -> float:
        number = leading_int(text[5:])
        return float(self._device.settings.values.flags >> number & 1)

    def _reading(self, topic: str) -> _Value:
        def value(_text: str) -> float:
            energy = self._device.energy
            return energy.reading(topic) if energy else 0.0

        return value

    @property
    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._device.device_clock.local, UTC)


def to_integer(value: float) -> int:
    """Return what the chip makes of a number as an int: cut off, held at 32 bits."""
    if isnan(value):
        return 0
    return int(max(min(value, _LARGEST), -_LARGEST - 1))


def _last_operator(text: str) -> tuple[int, str] | None:
    """Return where the operator stands that is applied last, and which it is."""
    best: tuple[int, str] | None = None
    latest = level = 0
    sign = -1
    for at in range(1 if _NEGATIVE.match(text) else 0, len(text) - 1):
        if text[at] == "(":
            level += 1
        elif text[at] == ")":
            level -= 1
        elif level == 0 and at != sign:
            for symbol, (priority, _) in _OPERATORS.items():
                if text.startswith(symbol, at) and priority >= latest:
                    latest, best = priority, (at, symbol)
                    # A minus right behind an operator belongs to the number.
                    sign = at + len(symbol)
                    if text[sign : sign + 1] != "-":
                        sign = -1
    return best


def _matching_brace(text: str) -> int:
    level = 0
    for at, char in enumerate(text):
        level += (char == "(") - (char == ")")
        if level == 0:
            return at
    return -1
