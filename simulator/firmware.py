"""OpenBeken as the firmware of a simulated socket."""

import socket as sockets
from typing import TYPE_CHECKING

from custom_components.openbk.pyopenbk.beken.chips import CHIPS

from .meter import MeteredLoad
from .openbeken import OpenBeken, Release

if TYPE_CHECKING:
    from collections.abc import Callable

    from .chip import SimulatedSocket


class OpenBekenOnSocket:
    """Starts OpenBeken on a socket, at the same web address each time.

    To be handed to a SimulatedSocket as its ``firmware``.
    """

    def __init__(
        self,
        meter: MeteredLoad,
        *,
        resolve: Callable[[str, int], tuple[str, int]] | None = None,
        address: str = "127.0.0.1",
        next_address: str | None = None,
    ) -> None:
        """Use a meter, which outlives restarts.

        ``resolve`` turns the broker's host and port in the configuration into those to
        connect to. ``address`` is where the web server listens, and what the socket says;
        ``next_address`` is what a router gives it from its second start on.
        """
        self.meter = meter
        self._resolve = resolve
        self._address = address
        self._next_address = next_address or address
        self._http_port = 0

    def __call__(self, socket: SimulatedSocket, version: str) -> OpenBeken:
        """Make the firmware for one more start of the chip."""
        self._http_port = self._http_port or _free_port()
        address, self._address = self._address, self._next_address
        built = socket.verdict.built if socket.verdict else None
        return OpenBeken(
            socket.flash,
            socket.clock,
            self.meter,
            socket.mac,
            http_host=address,
            http_port=self._http_port,
            resolve=self._resolve,
            on_restart=socket.reset,
            release=Release(
                version=version,
                built=built or Release().built,
                chip=CHIPS[socket.chip],
            ),
        )


def _free_port() -> int:
    with sockets.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
