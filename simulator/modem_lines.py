"""RTS and DTR of a simulated port: a pseudo-terminal has none, so they are carried beside it."""

import asyncio
from collections.abc import Callable
from enum import IntFlag
import socket

_BACKLOG = 8


class Lines(IntFlag):
    """What is asserted; one byte of this goes over for each change."""

    DTR = 1
    RTS = 2
    LOW_LATENCY = 4
    """No line, but set in the same way: ASYNC_LOW_LATENCY of the driver."""


RAISED = Lines.DTR | Lines.RTS
"""What Linux asserts at each opening: tty_port_block_til_ready in drivers/tty/tty_port.c."""


def address_of(terminal: str) -> str:
    """Return the socket beside a terminal (``/dev/pts/3``), in Linux's abstract namespace."""
    return f"\0openbk-simulator{terminal}"


class LineServer:
    """The adapter's end: hears of each opening, each change and each closing."""

    def __init__(
        self,
        terminal: str,
        changed: Callable[[Lines], None],
        hangs_up: Callable[[], bool],
    ) -> None:
        """Serve the lines of one terminal; needs a running event loop.

        ``hangs_up`` tells whether the port drops its lines when the last one closes it (HUPCL).
        """
        self._changed = changed
        self._hangs_up = hangs_up
        self._loop = asyncio.get_running_loop()
        self._clients: set[socket.socket] = set()
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.setblocking(False)
        self._server.bind(address_of(terminal))
        self._server.listen(_BACKLOG)
        self._loop.add_reader(self._server, self._opened)
        self.lines = Lines(0)

    def close(self) -> None:
        """Take the lines away, as when the adapter is pulled; nothing is asserted then."""
        for open_socket in (self._server, *self._clients):
            self._loop.remove_reader(open_socket)
            open_socket.close()
        self._clients.clear()
        self._become(Lines(0))

    def _opened(self) -> None:
        client, _ = self._server.accept()
        client.setblocking(False)
        self._clients.add(client)
        self._loop.add_reader(client, self._heard, client)
        self._become(self.lines | RAISED)

    def _heard(self, client: socket.socket) -> None:
        try:
            states = client.recv(4096)
        except BlockingIOError:
            return
        except ConnectionError:
            states = b""
        for state in states:
            self._become(Lines(state))
        if not states:
            self._closed(client)

    def _closed(self, client: socket.socket) -> None:
        self._loop.remove_reader(client)
        self._clients.discard(client)
        client.close()
        if not self._clients and self._hangs_up():
            # tty_port_shutdown, in the same file.
            self._become(self.lines & ~RAISED)

    def _become(self, lines: Lines) -> None:
        if lines != self.lines:
            self.lines = lines
            self._changed(lines)


class LineClient:
    """The driver's end: one opening of the port."""

    def __init__(self, terminal: str) -> None:
        """Open, which asserts both lines; raises OSError where no simulated adapter is."""
        self.lines = RAISED
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(address_of(terminal))
        except OSError:
            self._socket.close()
            raise

    def set(self, lines: Lines) -> None:
        """Assert these and no others."""
        if lines != self.lines:
            self.lines = lines
            self._socket.sendall(bytes((lines,)))

    def close(self) -> None:
        """Close the port."""
        self._socket.close()
