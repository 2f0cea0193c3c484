"""Keeping what goes over the line out of the serial library's debug log."""

from collections.abc import Iterator
from contextlib import contextmanager
import logging
from typing import Final, override

_LIBRARY: Final = "serialx"


class _NoDebug(logging.Filter):
    """Lets everything pass but debug messages, while any link is open."""

    links = 0

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


_NO_DEBUG: Final = _NoDebug()


@contextmanager
def frames_stay_private() -> Iterator[None]:
    """Hold back what the serial library has to say about each byte.

    A frame may be a configuration sector with the passwords of a network, and Home Assistant may
    log everything by default. A filter, not a level: so nobody's choice of levels is changed, and
    a level that is chosen meanwhile does not let the bytes out.
    """
    _NO_DEBUG.links += 1
    for logger in _loggers():
        logger.addFilter(_NO_DEBUG)
    try:
        yield
    finally:
        _NO_DEBUG.links -= 1
        if not _NO_DEBUG.links:
            for logger in _loggers():
                logger.removeFilter(_NO_DEBUG)


def _loggers() -> list[logging.Logger]:
    """Return the library's loggers; a filter works on the messages of one of them alone."""
    names = [
        name
        for name in logging.root.manager.loggerDict
        if name.partition(".")[0] == _LIBRARY
    ]
    return [logging.getLogger(name) for name in names]
