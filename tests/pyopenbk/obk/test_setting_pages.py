"""What a socket's own pages say, and how long it may take to read what claims to be one."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

import pytest

from custom_components.openbk.pyopenbk.obk.setting_pages import (
    drivers_of,
    startup_command_of,
)
from custom_components.openbk.pyopenbk.obk.snapshot import without_secrets
from custom_components.openbk.pyopenbk.obk.startup import add, own_parts
from tests.support.sockets import BLOW

# As much as is taken of an answer; read again from each of its places, it would take minutes.
LARGEST: Final = 256 * 1024


def add_ours(text: str) -> object:
    """Look for what keeps our commands out of a start-up command."""
    return add(text, own_parts(BLOW, timedelta()))


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (drivers_of, "1"),
        (startup_command_of, "<textarea id='data' name='data'>"),
        (without_secrets, "?key"),
        (without_secrets, "key"),
        (add_ours, "clock"),
        (add_ours, "a "),
    ],
)
def test_nothing_takes_long_to_read(read: Callable[[str], object], text: str) -> None:
    with suppress(ValueError):
        read(f"startDriver ?{text * (LARGEST // len(text))}!")


def test_the_text_of_a_page_is_all_that_is_in_its_field() -> None:
    page = "<textarea id='data' name='data' rows='5'>a </textarea> b</textarea><br>"
    assert startup_command_of(page) == "a </textarea> b"
    for other in ("</textarea>", "<textarea id='data' name='data'>a"):
        with pytest.raises(ValueError, match="no start-up command"):
            startup_command_of(other)
