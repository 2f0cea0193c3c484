"""The host's end of the serial line: a pseudo-terminal that can be pulled and put back."""

import asyncio
from collections.abc import Callable
import contextlib
import errno
import fcntl
import os
from pathlib import Path
import select
import struct
import termios
import tty
from typing import Any, Final

from .modem_lines import Lines, LineServer

# struct termios2 of Linux: four words of flags, the line discipline, 19 control
# characters, then the two rates as plain numbers. Python's termios knows only the rates
# that have a constant.
_TCGETS2: Final = 0x802C542A
_TERMIOS2: Final = struct.Struct("4IB19s2I")
_CONTROL_FLAGS: Final = 2

_CHUNK: Final = 0x10000
# Nobody has the port open: look again this often. A pseudo-terminal reports the missing
# host as a permanent event, so it cannot be waited for.
_LOOK_FOR_HOST_SECONDS: Final = 0.02
# A host that keeps the port open without reading loses what comes after this.
_BACKLOG_LIMIT: Final = 0x10000


class PseudoTerminal:
    """A serial port that the host opens by its path; needs a running event loop.

    A pseudo-terminal has no modem lines: RTS and DTR fail with ENOTTY. Only who opens it through
    `driver` has them.
    """

    def __init__(
        self,
        received: Callable[[bytes], None],
        link: Path | None = None,
        lines_changed: Callable[[Lines], None] = lambda lines: None,
    ) -> None:
        """Pass what the host writes to ``received``.

        ``link`` is a symbolic link to keep pointing at the terminal, whose own name
        changes each time it is plugged in.
        """
        self._received = received
        self._lines_changed = lines_changed
        self._lines: LineServer | None = None
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._master: int | None = None
        self._hang_up = select.poll()
        self._name = ""
        self._backlog = bytearray()
        self._look_again: asyncio.TimerHandle | None = None
        self.plug()

    @property
    def path(self) -> str:
        """Return what the host opens; while unplugged, what it last was."""
        return self._name if self._link is None else str(self._link)

    @property
    def plugged(self) -> bool:
        """Return whether the adapter is in the host."""
        return self._master is not None

    @property
    def host_baudrate(self) -> int:
        """Return the rate that the host has set; 0 while unplugged."""
        return int(self._settings[-1]) if self._master is not None else 0

    @property
    def lines(self) -> Lines:
        """Return what the host asserts."""
        return self._lines.lines if self._lines is not None else Lines(0)

    @property
    def _settings(self) -> tuple[Any, ...]:
        """Return what is in termios2: flags, control characters, rates."""
        assert self._master is not None
        settings = fcntl.ioctl(self._master, _TCGETS2, bytes(_TERMIOS2.size))
        return _TERMIOS2.unpack(settings)

    def _hangs_up(self) -> bool:
        return bool(self._settings[_CONTROL_FLAGS] & termios.HUPCL)

    def plug(self) -> None:
        """Put the adapter into the host; does nothing when it is there."""
        if self._master is not None:
            return
        master, slave = os.openpty()
        self._name = os.ttyname(slave)
        tty.setraw(slave, termios.TCSANOW)
        os.close(slave)
        os.set_blocking(master, False)
        self._master = master
        self._hang_up.register(master, 0)
        self._lines = LineServer(self._name, self._lines_changed, self._hangs_up)
        if self._link is not None:
            _point(self._link, self._name)
        self._watch_host()

    def unplug(self) -> None:
        """Pull the adapter: the host's reads and writes fail from now on."""
        if self._master is None:
            return
        if self._look_again is not None:
            self._look_again.cancel()
            self._look_again = None
        self._loop.remove_reader(self._master)
        self._loop.remove_writer(self._master)
        # Before another process can get the number of the terminal, and with it this name.
        if self._lines is not None:
            self._lines.close()
            self._lines = None
        self._hang_up.unregister(self._master)
        os.close(self._master)
        self._master = None
        self._backlog.clear()
        if self._link is not None:
            with contextlib.suppress(FileNotFoundError):
                self._link.unlink()

    def write(self, data: bytes) -> None:
        """Send bytes to the host; they are lost where none has the port open."""
        if self._master is None or self._look_again is not None or self._host_is_gone():
            return
        if self._backlog:
            self._backlog += data[: _BACKLOG_LIMIT - len(self._backlog)]
            return
        written = self._write_now(data)
        if written < len(data):
            self._backlog += data[written:]
            self._loop.add_writer(self._master, self._write_backlog)

    def _watch_host(self) -> None:
        self._look_again = None
        if self._master is None:
            return
        if self._host_is_gone():
            self._look_again = self._loop.call_later(
                _LOOK_FOR_HOST_SECONDS, self._watch_host
            )
        else:
            self._loop.add_reader(self._master, self._read)

    def _host_is_gone(self) -> bool:
        return any(event & select.POLLHUP for _, event in self._hang_up.poll(0))

    def _read(self) -> None:
        if self._master is None:
            return
        try:
            data = os.read(self._master, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._loop.remove_reader(self._master)
            self._loop.remove_writer(self._master)
            self._backlog.clear()
            self._watch_host()
            return
        self._received(data)

    def _write_now(self, data: bytes | bytearray) -> int:
        assert self._master is not None
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def _write_backlog(self) -> None:
        assert self._master is not None
        del self._backlog[: self._write_now(self._backlog)]
        if not self._backlog:
            self._loop.remove_writer(self._master)


def _point(link: Path, target: str) -> None:
    """Make or move a symbolic link in one step, so that nobody finds it missing."""
    fresh = link.with_name(f"{link.name}.new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fresh.symlink_to(target)
    fresh.replace(link)
