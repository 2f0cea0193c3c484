"""Some sockets, a release server and the handles of it all, in one event loop."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .adapters import Adapter
from .bootrom import Timings
from .chip import ResetWire, SimulatedSocket
from .chips import Chip
from .clock import Clock
from .control import Control
from .factory import SERIAL_METER_PARAMETERS, USER_PARAMETERS, FactorySocket
from .firmware import OpenBekenOnSocket
from .flash import Flash
from .meter import Bl0937, Bl0942, MeteredLoad
from .releases import ReleaseServer
from .uart import LineOptions

# CMP and BP0: how Tuya's firmware leaves the flash protected.
FACTORY_PROTECTION: Final = 0x4004


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A socket and the meter in it."""

    socket: SimulatedSocket
    meter: MeteredLoad


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that runs."""

    benches: Sequence[Bench]
    releases: ReleaseServer
    control: Control

    @property
    def addresses(self) -> dict[str, Any]:
        """Return where everything is, as JSON values."""
        return {
            "sockets": [
                {"serial": bench.socket.path, "mac": bench.socket.mac}
                for bench in self.benches
            ],
            "control": self.control.url,
            "releases": self.releases.index,
        }


def lay_out(
    number: int = 0,
    content: bytes | None = None,
    *,
    speed: float = 1.0,
    latency: float | None = None,
    link: Path | None = None,
    auto_reset: float | None = None,
    adapter: Adapter | None = None,
    reset_wire: ResetWire | None = None,
    serial_meter: bool = False,
    chip: Chip = Chip.BK7231N,
) -> Bench:
    """Put a BLOW 72-074 on the bench, without power.

    ``content`` is what its flash holds instead of the factory's firmware. ``speed`` is
    that of OpenBeken's clock. With a ``latency`` (in seconds, that of the adapter) line
    and flash are as slow as real ones. ``serial_meter``: it has a BL0942 instead.
    With ``chip``, it is the same socket on the module of that chip.
    """
    clock = Clock(speed)
    meter = (Bl0942 if serial_meter else Bl0937)(clock, seed=number)
    parameters = SERIAL_METER_PARAMETERS if serial_meter else USER_PARAMETERS
    paced = latency is not None
    socket = SimulatedSocket(
        Flash(
            content or FactorySocket.numbered(number, parameters, chip).dump(),
            status=FACTORY_PROTECTION,
        ),
        line=LineOptions.realistic(latency) if latency is not None else LineOptions(),
        timings=Timings.realistic() if paced else Timings(),
        chip=chip,
        clock=clock,
        firmware=OpenBekenOnSocket(meter),
        link=link,
        auto_reset=auto_reset,
        adapter=adapter,
        reset_wire=reset_wire,
    )
    return Bench(socket=socket, meter=meter)


@asynccontextmanager
async def simulated_world(
    benches: Sequence[Bench], *, control_port: int = 0, releases_port: int = 0
) -> AsyncIterator[World]:
    """Give the sockets power, and run the servers beside them."""
    async with AsyncExitStack() as stack:
        releases = ReleaseServer()
        await releases.start(releases_port)
        stack.push_async_callback(releases.stop)
        for bench in benches:
            await bench.socket.start()
            stack.push_async_callback(bench.socket.stop)
        control = Control([(bench.socket, bench.meter) for bench in benches], releases)
        await control.start(control_port)
        stack.push_async_callback(control.stop)
        yield World(benches=benches, releases=releases, control=control)
