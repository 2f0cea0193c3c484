"""The handles of the simulated world, over HTTP on loopback."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .chip import SimulatedSocket
from .faults import Fault, FaultName
from .meter import MeteredLoad, Response
from .openbeken import OpenBeken
from .releases import ReleaseServer

# More is never read at once: a whole flash.
_WHOLE_FLASH = 0x200000

type _Handler = Callable[[_Wired, dict[str, Any]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wired:
    """A socket and what it is wired to."""

    socket: SimulatedSocket
    meter: MeteredLoad


class Control:
    """Tells what is true in the simulated world, and changes it.

    Each address is there twice: ``/state`` is that of the first socket,
    ``/sockets/2/state`` that of the second.
    """

    def __init__(
        self,
        sockets: Sequence[tuple[SimulatedSocket, MeteredLoad]],
        releases: ReleaseServer | None = None,
    ) -> None:
        """Control these sockets, each with its meter, and perhaps a release server."""
        self._sockets = [
            _Wired(socket=socket, meter=meter) for socket, meter in sockets
        ]
        self._releases = releases

    async def start(self, port: int = 0) -> None:
        """Listen; with port 0, on one that is free."""
        app = web.Application(client_max_size=2 * _WHOLE_FLASH)
        readers = {"state": _state, "log": _log}
        actions: dict[str, _Handler] = {
            "load": _set_load,
            "meter": _set_meter,
            "button": _press_button,
            "power": _power,
            "reset": _reset,
            "plug": _plug,
            "fault": _inject,
            "mend": _mend,
        }
        for prefix in ("", "/sockets/{number}"):
            for name, reader in readers.items():
                app.router.add_get(f"{prefix}/{name}", self._reading(reader))
            for name, action in actions.items():
                app.router.add_post(f"{prefix}/{name}", self._acting(action))
            app.router.add_get(f"{prefix}/flash", self._read_flash)
        app.router.add_post("/releases", self._trouble_releases)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()

    async def stop(self) -> None:
        """Close the port."""
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Return where it listens."""
        host, port = self._runner.addresses[0]
        return f"http://{host}:{port}"

    def _wired(self, request: web.Request) -> _Wired:
        number = request.match_info.get("number", "1")
        if not number.isdigit() or not 1 <= int(number) <= len(self._sockets):
            raise web.HTTPNotFound(text=f"there is no socket {number}")
        return self._sockets[int(number) - 1]

    def _reading(
        self, read: Callable[[_Wired], object]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            return web.json_response(read(self._wired(request)))

        return answer

    def _acting(
        self, act: _Handler
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            wired = self._wired(request)
            try:
                act(wired, await _json_object(request))
            except (ValueError, TypeError) as error:
                return web.json_response({"error": str(error)}, status=400)
            return web.json_response(_state(wired))

        return answer

    async def _read_flash(self, request: web.Request) -> web.Response:
        try:
            start = int(request.query.get("start", "0"), 0)
            length = int(request.query.get("length", str(_WHOLE_FLASH)), 0)
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.Response(
            body=self._wired(request).socket.flash.read(start, length),
            content_type="application/octet-stream",
        )

    async def _trouble_releases(self, request: web.Request) -> web.Response:
        if self._releases is None:
            raise web.HTTPNotFound(text="no release server runs")
        for name, value in (await _json_object(request)).items():
            if not hasattr(self._releases.trouble, name):
                return web.json_response({"error": f"no trouble {name}"}, status=400)
            setattr(self._releases.trouble, name, value)
        return web.json_response({"requests": self._releases.requests})


async def _json_object(request: web.Request) -> dict[str, Any]:
    if not request.can_read_body:
        return {}
    try:
        values = await request.json()
    except ValueError as error:
        raise web.HTTPBadRequest(text="no JSON") from error
    if not isinstance(values, dict):
        raise web.HTTPBadRequest(text="no JSON object")
    return values


def _state(wired: _Wired) -> dict[str, Any]:
    socket, meter = wired.socket, wired.meter
    openbeken = socket.firmware if isinstance(socket.firmware, OpenBeken) else None
    return {
        "running": socket.running,
        "version": socket.verdict.version if socket.verdict else None,
        "powered": socket.powered,
        "mac": socket.mac,
        "serial": socket.path,
        "plugged": socket.uart.port.plugged,
        "http": openbeken.http_address if openbeken else None,
        "relay": _relays(openbeken) if openbeken else {},
        "load": {
            "watts": meter.watts,
            "volts": meter.volts,
            "amperes": meter.amperes,
            "watt_hours": meter.energy_wh,
            "power_factor": meter.load.power_factor,
            "connected_watts": meter.load.watts,
        },
        "resets": socket.resets,
        "flash_operations": socket.flash.counts.operations,
        "pending_faults": [fault.name for fault in socket.faults.pending],
        "simulated_seconds": socket.clock.now(),
    }


def _relays(openbeken: OpenBeken) -> dict[str, bool]:
    if not openbeken.running:
        return {}
    channels = sorted(openbeken.pins.relay_channels())
    return {str(channel): openbeken.relay(channel) for channel in channels}


def _log(wired: _Wired) -> dict[str, str]:
    return {"uart2": wired.socket.uart2_log}


def _set_load(wired: _Wired, values: dict[str, Any]) -> None:
    wired.meter.set_load(**{name: float(value) for name, value in values.items()})


def _set_meter(wired: _Wired, values: dict[str, Any]) -> None:
    for name, response in values.items():
        if name not in {"voltage", "current", "power"}:
            raise ValueError(f"the meter has no {name}")
        setattr(wired.meter, name, Response(**response))


def _press_button(wired: _Wired, values: dict[str, Any]) -> None:
    firmware = wired.socket.firmware
    if isinstance(firmware, OpenBeken):
        firmware.press_button(
            int(values.get("pin", 11)),
            float(values.get("seconds", 0.1)),
            times=int(values.get("times", 1)),
        )


def _power(wired: _Wired, values: dict[str, Any]) -> None:
    if not isinstance(on := values.get("on"), bool):
        raise TypeError("on is true or false")
    wired.socket.power(on=on)


def _reset(wired: _Wired, values: dict[str, Any]) -> None:
    wired.socket.reset()


def _plug(wired: _Wired, values: dict[str, Any]) -> None:
    if values.get("in", True):
        wired.socket.plug()
    else:
        wired.socket.unplug(0)


def _inject(wired: _Wired, values: dict[str, Any]) -> None:
    wired.socket.inject(Fault.from_dict(values))


def _mend(wired: _Wired, values: dict[str, Any]) -> None:
    name = values.get("name")
    wired.socket.clear(FaultName(name) if name else None)
