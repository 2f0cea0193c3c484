"""What a socket's own pages say of its settings, where its configuration cannot be read by address."""

import re
from typing import Final

# A box for each flag, in order (http_fn_cfg_generic, 1.17.360 to 1.18.300).
_FLAG: Final = re.compile(
    r'<input type="checkbox" name="flag(?P<number>\d{1,2})" id="flag\d{1,2}" value="1"'
    r"(?P<on> checked)?>"
)
_ALL_FLAGS: Final = 'name="setFlags"'
# A form for each channel in use (http_fn_cfg_startup).
_START_VALUE: Final = re.compile(
    r'name="idx" value="(?P<channel>\d{1,2})"/>'
    r'<label for="value">[^<]{1,32}</label><br>'
    r'<input type="number" id="value" name="value" value="(?P<value>-?\d{1,5})">'
)
_START_VALUES: Final = "New start values"
# The text stands there as it is, whatever it has in it (http_fn_startup_command).
_STARTUP_COMMAND: Final = re.compile(r"<textarea id='data' name='data'[^>]*>")
_END_OF_STARTUP_COMMAND: Final = "</textarea>"
# A button for each relay (http_fn_index); a label of its own stands without "Toggle".
_BUTTON: Final = re.compile(
    r'<input type="hidden" name="tgl" value="(?P<channel>\d{1,2})">'
    r'<input class="\w+" type="submit" value="(?P<label>[^<>]{1,64}?)"/>'
)
_DRIVERS: Final = re.compile(
    r"\b\d{1,3} drivers active(?: \((?P<names>[^()]*)\))?, total"
)
_WITHOUT_LABEL: Final = re.compile(r"(Toggle )?\d{1,2}")


def flags_of(page: str) -> int:
    """Return the flag word that the page cfg_generic shows; raises ValueError for another page."""
    found = [(int(box["number"]), bool(box["on"])) for box in _FLAG.finditer(page)]
    numbers = [number for number, _ in found]
    if not numbers or numbers != [*range(len(numbers))] or _ALL_FLAGS not in page:
        raise ValueError("not all flags are there")
    return sum(1 << number for number, on in found if on)


def start_values_of(page: str) -> dict[int, int]:
    """Return the start values, by channel, that the page cfg_startup shows of those in use.

    Raises ValueError for another page.
    """
    if _START_VALUES not in page:
        raise ValueError("no start values")
    return {int(m["channel"]): int(m["value"]) for m in _START_VALUE.finditer(page)}


def startup_command_of(page: str) -> str:
    """Return the text that the page startup_command shows; raises ValueError for another page."""
    found, end = _STARTUP_COMMAND.search(page), page.rfind(_END_OF_STARTUP_COMMAND)
    if found is None or end < found.end():
        raise ValueError("no start-up command")
    return page[found.end() : end]


def drivers_of(page: str) -> tuple[str, ...]:
    """Return the drivers that run, as the first page names them."""
    found = _DRIVERS.search(page)
    return tuple(re.findall(r"\w+", found["names"] or "")) if found else ()


def labels_of(page: str) -> dict[int, str]:
    """Return what the first page calls the relays, by channel; without those that have no label."""
    return {
        int(button["channel"]): button["label"].strip().removeprefix("Toggle ")
        for button in _BUTTON.finditer(page)
        if button["label"].strip() and not _WITHOUT_LABEL.fullmatch(button["label"])
    }
