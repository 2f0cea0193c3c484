"""The text in which Tuya's firmware keeps what hardware it runs on."""

from collections.abc import Iterable, Iterator, Mapping
import json
import re
from typing import Final

from ..errors import OpenBekenError

type UserParam = int | bool | str | list[UserParam] | dict[str, UserParam] | None
type UserParams = dict[str, UserParam]

# The largest of 536 real ones has 738 bytes.
LONGEST_TEXT: Final = 16 * 1024
_DEEPEST_NESTING: Final = 16

_NAME: Final = re.compile(r"[A-Za-z0-9_]+")
# Digits with a leading zero are codes (category:0505), not numbers.
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")
_WORDS: Final[Mapping[str, UserParam]] = {"true": True, "false": False, "null": None}
_OPENING: Final = "{["
_CLOSING: Final = "}]"
_PADDING: Final = "\0\xff \t\r\n"

# An old dialect of two devices, in the words of all the others.
_OLD_NAMES: Final = {
    "btpin": "bt1_pin",
    "btlv": "bt1_lv",
    "rlypin": "rl1_pin",
    "rlylv": "rl1_lv",
    "ledpin": "led1_pin",
    "ledlv": "led1_lv",
    "netledpin": "netled_pin",
    "netledlv": "netled_lv",
    "jsonver": "Jsonver",
}
# The oldest generation nests everything below "sw"; path there, and today's name.
_NESTED_PINS: Final = (
    (("dltj", "epin"), "ele_pin", None),
    (("dltj", "ivpin"), "vi_pin", None),
    (("dltj", "ivcpin"), "sel_pin_pin", "sel_pin_lv"),
    (("net", "wfst"), "netled_pin", "netled_lv"),
)
_NESTED_NUMBERS: Final = (
    (("dltj", "ri"), "resistor"),
    (("dltj", "ct"), "chip_type"),
    (("dltj", "ov_cr"), "over_cur"),
    (("dltj", "v_def"), "vol_def"),
)


class UserParamsError(OpenBekenError):
    """The text is no set of user parameters."""


def parse_user_params(text: str | bytes) -> UserParams:
    """Read the parameters, whichever generation of the text it is.

    Forgives padding, blanks, missing quotes and brackets, trailing commas; a pair that makes no
    sense is dropped alone, and of two with one name the first counts. Raises UserParamsError where
    nothing is left, or where the text is longer than 16 KiB.
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    if len(text) > LONGEST_TEXT:
        raise UserParamsError(f"{len(text)} characters are too many")
    text = text.strip(_PADDING)
    params = _read_json(text)
    if params is None:
        params = _read_bare(text)
    if not params:
        raise UserParamsError("no parameters in the text")
    return _modernise(params)


def _read_json(text: str) -> UserParams | None:
    """Read standard JSON; None where it is not."""
    try:
        value = json.loads(
            text,
            object_pairs_hook=_first_of_each,
            parse_float=str,
            parse_constant=str,
        )
    except ValueError, RecursionError:
        return None
    return value if isinstance(value, dict) else None


def _read_bare(text: str) -> UserParams:
    if not text.startswith("{"):
        raise UserParamsError("the text does not start with a brace")
    value = _read_value(text, _DEEPEST_NESTING)
    return value if isinstance(value, dict) else {}


def _read_value(text: str, depth: int) -> UserParam:
    text = text.strip(_PADDING)
    if text.startswith("{") and depth:
        return _first_of_each(_read_pairs(_split(_inside(text)), depth - 1))
    if text.startswith("[") and depth:
        return [_read_value(item, depth - 1) for item in _split(_inside(text))]
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return text[1:-1]
    if _INTEGER.fullmatch(text):
        return int(text)
    return _WORDS.get(text, text)


def _read_pairs(items: Iterable[str], depth: int) -> Iterator[tuple[str, UserParam]]:
    for item in items:
        name, colon, value = item.partition(":")
        name = name.strip(_PADDING + '"')
        if colon and _NAME.fullmatch(name):
            yield name, _read_value(value, depth)


def _inside(text: str) -> str:
    """Return what is between the brackets; the closing one may be missing."""
    return text[1:-1] if text[-1] == _CLOSING[_OPENING.index(text[0])] else text[1:]


def _split(text: str) -> list[str]:
    """Cut at the commas that are in no brackets and no quotes; empty items are left out."""
    items = []
    start = depth = 0
    quoted = False
    for position, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth = max(0, depth - 1)
        elif character == "," and not depth:
            items.append(text[start:position])
            start = position + 1
    items.append(text[start:])
    if depth or quoted:
        # Something is never closed: rather lose its inner parts than everything behind it.
        items = text.split(",")
    return [item for item in items if item.strip(_PADDING)]


def _first_of_each(pairs: Iterable[tuple[str, UserParam]]) -> UserParams:
    params: UserParams = {}
    for name, value in pairs:
        params.setdefault(name, value)
    return params


def _modernise(params: UserParams) -> UserParams:
    """Return the parameters of any generation by the names of the newest one."""
    if isinstance(nested := params.get("sw"), dict):
        params = {**_flatten(nested), **params}
        del params["sw"]
    return _first_of_each(
        (_OLD_NAMES.get(name, name), value) for name, value in params.items()
    )


def _flatten(nested: UserParams) -> UserParams:
    flat: UserParams = {}
    for path, pin_name, level_name in _NESTED_PINS:
        _take_pin(flat, _descend(nested, path), pin_name, level_name)
    for path, name in _NESTED_NUMBERS:
        _take(flat, name, _descend(nested, path))
    channels = nested.get("ch")
    for number, channel in enumerate(channels if isinstance(channels, list) else (), 1):
        for part, prefix in (("bt", "bt"), ("rl", "rl"), ("led", "led")):
            _take_pin(
                flat,
                _descend(channel, (part,)),
                f"{prefix}{number}_pin",
                f"{prefix}{number}_lv",
            )
    return flat


def _take_pin(
    flat: UserParams, pin: UserParam, pin_name: str, level_name: str | None
) -> None:
    _take(flat, pin_name, _descend(pin, ("pin",)))
    if level_name:
        _take(flat, level_name, _descend(pin, ("lv",)))


def _take(flat: UserParams, name: str, leaf: UserParam) -> None:
    """Take over the value of a leaf, which is wrapped once more; booleans are levels."""
    value = _descend(leaf, ("value",))
    if isinstance(value, (bool, int)):
        flat[name] = int(value)


def _descend(value: UserParam, path: Iterable[str]) -> UserParam:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
