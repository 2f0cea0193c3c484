"""Whether bytes are on their way between the processes of a test, as Linux tells it."""

import _socket
from collections.abc import Iterable
import fcntl
import os
import socket
import struct
import sys
import termios
from typing import Final, NamedTuple, Self

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h: a request for one socket by its addresses.
_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLM_F_REQUEST: Final = 1
_INET_DIAG_INFO: Final = 2
_REQUEST: Final = struct.Struct("=IHHII BBBxI 2s2s16s16sI8s")
_NO_COOKIE: Final = b"\xff" * 8
# The answer: struct nlmsghdr, struct inet_diag_msg, then attributes with their length and type.
# Of the message, idiag_rqueue is wanted.
_HEADER: Final = struct.Struct("=IH10x56xI")
_FIRST_ATTRIBUTE: Final = 16 + 72
_ATTRIBUTE: Final = struct.Struct("=HH")
# struct tcp_info in linux/tcp.h: tcpi_state, _bytes_received, _notsent_bytes, _bytes_sent, _bytes_retrans.
_TCP_INFO: Final = struct.Struct("=B127xQ8xI52xQQ")
# TCP_SYN_SENT, TCP_SYN_RECV: it is not connected yet.
_CONNECTING: Final = frozenset({2, 3})
# TCP_FIN_WAIT1, TCP_LAST_ACK, TCP_CLOSING: its end is sent, which counts as a byte where it comes in.
_ENDING: Final = frozenset({4, 9, 11})
_TCP_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)


class Task:
    """A process or a thread, and whether it sleeps."""

    def __init__(self, task: str, name: str) -> None:
        """Take its directory below /proc; raises FileNotFoundError where there is none."""
        self.name = name
        self._stat = os.open(f"/proc/{task}/stat", os.O_RDONLY | os.O_CLOEXEC)
        self._turns = os.open(f"/proc/{task}/schedstat", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Forget it."""
        os.close(self._stat)
        os.close(self._turns)

    @property
    def turns(self) -> bytes:
        """Return something that changes whenever it is given the processor."""
        return _read(self._turns)

    @property
    def sleeps(self) -> bool:
        """Return whether it neither has nor wants the processor or a disk; so does one that has ended."""
        state = _read(self._stat).rpartition(b")")[2][1:2]
        return state in b"SZX"


_WATCHED: Final[dict[int, Task]] = {}


def watch(process: int, name: str) -> None:
    """Have tests wait for a process that serves them until it sleeps for want of input."""
    _WATCHED[process] = Task(str(process), name)


def forget(process: int) -> None:
    """Watch a process no longer."""
    if task := _WATCHED.pop(process, None):
        task.close()


def _awake() -> Task | None:
    return next((task for task in _WATCHED.values() if not task.sleeps), None)


class Flow(NamedTuple):
    """What has passed one end of a connection."""

    state: int
    received: int
    not_sent: int
    sent: int
    sent_again: int
    unread: int
    """Bytes that came here and that nobody has taken."""

    @classmethod
    def of(cls, info: bytes, unread: int) -> Self:
        """Read a `struct tcp_info`."""
        told = _TCP_INFO.unpack_from(info.ljust(_TCP_INFO.size, b"\0"))
        return cls(*(*told, unread))

    def lacks(self, other: Flow) -> bool:
        """Return whether the other end sent or will send something that has not come here.

        Who does not take what is here already waits for nothing more: whoever reads is awake, or is
        told of it when this process looks at its files.
        """
        if self.unread:
            return False
        sent = other.sent - other.sent_again + (other.state in _ENDING)
        return sent > self.received or other.not_sent > 0


class _Connection:
    """A connection of this process, by its end here."""

    def __init__(self, end: _socket.socket) -> None:
        """Take its socket; raises OSError where it is not connected."""
        self.end = end
        self.request = _request(end.family, end.getpeername(), end.getsockname())
        self.at_rest: tuple[Flow, list[bytes]] | None = None
        """What had passed it, and who had been at work, when all had come to its end."""

    def detach(self) -> None:
        """Leave the file to its owner."""
        self.end.detach()

    @property
    def flow(self) -> Flow:
        """Return what has passed this end."""
        size = _TCP_INFO.size
        unread = fcntl.ioctl(self.end, termios.FIONREAD, bytes(4))
        info = self.end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)
        return Flow.of(info, int.from_bytes(unread, sys.byteorder))


class Traffic:
    """What is under way between the sockets of this process and their other ends."""

    def __init__(self) -> None:
        """Open a way to ask the kernel about the sockets of others."""
        self._kernel = _socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
        )
        self._known: dict[int, tuple[int, _Connection | None]] = {}
        """By the number of a file: what tells it from the next with that number, and what it is."""

    def close(self) -> None:
        """Close it."""
        self._kernel.close()
        for file in tuple(self._known):
            self._forget(file)

    def turns(self) -> list[bytes]:
        """Return something that changes whenever a watched process is given the processor."""
        return [task.turns for task in _WATCHED.values()]

    def reason(self, files: Iterable[int], turns: list[bytes]) -> str | None:
        """Return what is not at rest, None if all has been since ``turns`` were those.

        ``files`` are those that may be sockets.
        """
        if task := _awake():
            return f"{task.name} is at work"
        for file in files:
            if self._is_under_way(file, turns):
                return f"bytes of file {file} are on their way"
        # Whom bytes have reached in between is awake now, but may have had no turn yet.
        if task := _awake():
            return f"{task.name} is at work"
        if turns != self.turns():
            return "a process has been at work"
        return None

    def _is_under_way(self, file: int, turns: list[bytes]) -> bool:
        if (connection := self._connection(file)) is None:
            return False
        ours = connection.flow
        if connection.at_rest == (ours, turns):
            return False
        if ours.state in _CONNECTING:
            return True
        theirs = self._ask(connection.request)
        if theirs is not None and (ours.lacks(theirs) or theirs.lacks(ours)):
            return True
        connection.at_rest = (ours, turns)
        return False

    def _connection(self, file: int) -> _Connection | None:
        inode = os.fstat(file).st_ino
        known, connection = self._known.get(file, (None, None))
        if known == inode:
            return connection
        self._forget(file)
        try:
            # Not Python's own class: tests inside Home Assistant may not make sockets with that.
            end = _socket.socket(fileno=file)
        except OSError:
            self._known[file] = inode, None
            return None
        connection = None
        if end.family in _TCP_FAMILIES and end.type == socket.SOCK_STREAM:
            try:
                connection = _Connection(end)
            except OSError:
                # It is not connected, and may be soon.
                end.detach()
                return None
        else:
            end.detach()
        self._known[file] = inode, connection
        return connection

    def _forget(self, file: int) -> None:
        _, connection = self._known.pop(file, (None, None))
        if connection is not None:
            connection.detach()

    def _ask(self, request: bytes) -> Flow | None:
        """Return what has passed a socket of whomever, None if there is none."""
        self._kernel.send(request)
        answer = self._kernel.recv(4096)
        size, kind, unread = _HEADER.unpack_from(answer.ljust(_HEADER.size, b"\0"))
        at = _FIRST_ATTRIBUTE
        while kind == _SOCK_DIAG_BY_FAMILY and at < size:
            length, name = _ATTRIBUTE.unpack_from(answer, at)
            if name == _INET_DIAG_INFO:
                return Flow.of(answer[at + _ATTRIBUTE.size : at + length], unread)
            at += -(-length // 4) * 4
        return None


def _request(family: int, here: tuple[str, int], there: tuple[str, int]) -> bytes:
    """Return the question for the `struct tcp_info` of the socket with these addresses."""
    addresses = [
        socket.inet_pton(family, address[0]).ljust(16, b"\0")
        for address in (here, there)
    ]
    ports = [address[1].to_bytes(2) for address in (here, there)]
    return _REQUEST.pack(
        _REQUEST.size,
        _SOCK_DIAG_BY_FAMILY,
        _NLM_F_REQUEST,
        0,
        0,
        family,
        socket.IPPROTO_TCP,
        1 << _INET_DIAG_INFO - 1,
        0xFFFFFFFF,
        *ports,
        *addresses,
        0,
        _NO_COOKIE,
    )


def _read(file: int) -> bytes:
    try:
        return os.pread(file, 512, 0)
    except ProcessLookupError:
        return b""
