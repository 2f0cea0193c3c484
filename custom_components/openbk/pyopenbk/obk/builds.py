"""What a socket says that it runs, in the words of every release."""

import re
from typing import Final

# "Open" + chip, version, build date and time: OpenBK7231N 1.18.300 Nov 22 2026 16:44:43; LIN is the
# build that runs on Linux. Some eighty characters at most, and none that a dialog could take for
# Markdown but "_".
_TODAY: Final = re.compile(
    r"Open(?P<chip>[A-Z]{1,6}[0-9][A-Z0-9]{0,9}|LIN)"
    r" (?P<version>[0-9][\w.+-]{0,31}|[\w.+-]{1,20}_[\w.+-]{1,20})"
    r"(?: [\w :.+-]{1,32})?",
    re.ASCII,
)
# Until 1.17.484 (February 2024) the topic "build" has the text of the pages, which names no chip:
# date, time and version (g_build_str of new_http.c, published by new_mqtt.c).
_OF_OLD: Final = re.compile(
    r"Buil[dt] on (?P<built>[A-Z][a-z]{2} [ \d]\d \d{4} \d\d:\d\d:\d\d)"
    r" version (?P<version>[\w.+-]{1,41})",
    re.ASCII,
)


def is_build(payload: str) -> bool:
    """Return whether the whole payload of a ``build`` topic is that of an OpenBeken."""
    return _match(payload) is not None


def decode_build(payload: str) -> str | None:
    """Return a build text as the socket said it, None for anything else."""
    return payload if is_build(payload) else None


def in_todays_words(build: str, chip: str | None) -> str:
    """Return a build text as today's releases say it, ``OpenBK7231N 1.17.360 Dec 17 2023 10:11:12``.

    An older one does not name its ``chip``; where nobody else knows that, it stays as it is.
    """
    if chip is None or (old := _OF_OLD.fullmatch(build)) is None:
        return build
    today = f"Open{chip} {old['version']} {old['built']}"
    return today if _TODAY.fullmatch(today) else build


def chip_of(build: str) -> str | None:
    """Return the chip that a build text names, such as BK7231N."""
    return match["chip"] if (match := _TODAY.fullmatch(build)) else None


def version_of(build: str) -> str | None:
    """Return the version that a build text names, such as 1.18.300."""
    return match["version"] if (match := _match(build)) else None


def release_of(build: str) -> tuple[int, ...] | None:
    """Return the numbers of the release that a build text names; None for a branch's build."""
    parts = (version_of(build) or "").split(".")
    if not all(part.isdecimal() for part in parts):
        return None
    return tuple(map(int, parts))


def is_before(build: str, release: tuple[int, ...]) -> bool:
    """Return whether a build text names an earlier release; a branch's build is not known to be one."""
    named = release_of(build)
    return named is not None and named < release


def _match(build: str) -> re.Match[str] | None:
    return _TODAY.fullmatch(build) or _OF_OLD.fullmatch(build)
