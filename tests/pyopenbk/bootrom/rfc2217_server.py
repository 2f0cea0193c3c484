"""Put a serial port on the network as RFC 2217 has it: ``python -m … PATH`` prints the TCP port.

All of the protocol is pyserial's.
"""

import contextlib
import socket
import sys
import threading

from serial import Serial
from serial.rfc2217 import SET_LINESTATE_MASK, SET_MODEMSTATE_MASK, PortManager


class Port(Serial):
    """A port without modem lines, which is what a pseudo-terminal is."""

    cts = dsr = ri = cd = False

    def _update_rts_state(self) -> None:
        """Do nothing: there is no such line."""

    _update_dtr_state = _update_rts_state


class Manager(PortManager):
    """pyserial's, which forgets to confirm which changes the client wants to hear of."""

    def _telnet_process_subnegotiation(self, suboption: bytes) -> None:
        super()._telnet_process_subnegotiation(suboption)
        if suboption[1:2] in (SET_LINESTATE_MASK, SET_MODEMSTATE_MASK):
            confirmation = bytes((suboption[1] + 100,))
            self.rfc2217_send_subnegotiation(confirmation, suboption[2:3])


class Connection:
    """What pyserial's port manager writes its own answers to."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._client.sendall(data)


def from_port(port: Serial, manager: Manager, connection: Connection) -> None:
    """Pass on what the serial port receives, until it is closed."""
    with contextlib.suppress(OSError, TypeError):
        while True:
            data = port.read(port.in_waiting or 1)
            if data:
                connection.write(b"".join(manager.escape(data)))


def serve(path: str) -> None:
    """Serve one client."""
    port = Port(path, timeout=0.05)
    server = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{server.getsockname()[1]}\n")
    sys.stdout.flush()
    client, _ = server.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = Connection(client)
    manager = Manager(port, connection)
    reader = threading.Thread(
        target=from_port, args=(port, manager, connection), daemon=True
    )
    reader.start()
    while data := client.recv(4096):
        port.write(b"".join(manager.filter(data)))


if __name__ == "__main__":
    serve(sys.argv[1])
