"""Keeping what goes over the line out of the debug logs of the libraries that carry it."""

from collections.abc import Iterator
from contextlib import contextmanager
import logging
from typing import Final, override

_LIBRARY: Final = "serialx"
# What carries the bytes of a port at an ESPHome device.
_ESPHOME_LIBRARY: Final = "aioesphomeapi"
_ESPHOME: Final = "esphome"


class _NoDebug(logging.Filter):
    """Lets everything pass but debug messages, while any link is open."""

    links = 0

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


_NO_DEBUG: Final = {_LIBRARY: _NoDebug(), _ESPHOME_LIBRARY: _NoDebug()}


@contextmanager
def frames_stay_private(address: str) -> Iterator[None]:
    """Hold back what the libraries behind a port's address have to say about each byte.

    A frame may be a configuration sector with the passwords of a network, and Home Assistant may
    log everything by default. A filter, not a level: so nobody's choice of levels is changed, and
    a level that is chosen meanwhile does not let the bytes out.
    """
    libraries = [_LIBRARY]
    if address.startswith(_ESPHOME):
        libraries.append(_ESPHOME_LIBRARY)
    for library in libraries:
        _NO_DEBUG[library].links += 1
        for logger in _loggers(library):
            logger.addFilter(_NO_DEBUG[library])
    try:
        yield
    finally:
        for library in libraries:
            _release(library)


def _release(library: str) -> None:
    no_debug = _NO_DEBUG[library]
    no_debug.links -= 1
    if not no_debug.links:
        for logger in _loggers(library):
            logger.removeFilter(no_debug)


def _loggers(library: str) -> list[logging.Logger]:
    """Return a library's loggers; a filter works on the messages of one of them alone."""
    names = [
        name
        for name in logging.root.manager.loggerDict
        if name == library or name.startswith(f"{library}.")
    ]
    return [logging.getLogger(name) for name in names]
