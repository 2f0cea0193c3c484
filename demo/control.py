"""The simulated world's handles: what is plugged in, the button, the power cut."""

from typing import Any, Self

import aiohttp


class SimulatorControl:
    """Talk to the simulator's control address about one of its sockets."""

    def __init__(self, url: str, number: int = 1) -> None:
        """Prepare for an address such as http://127.0.0.1:9000; sockets count from 1."""
        self._url = url
        self._socket = f"/sockets/{number}"
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = aiohttp.ClientSession(self._url)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the session."""
        await self._session.close()

    async def state(self) -> dict[str, Any]:
        """Return what is true in the simulated world, whatever the firmware says of it."""
        async with self._session.get(f"{self._socket}/state") as response:
            response.raise_for_status()
            state: dict[str, Any] = await response.json()
            return state

    async def read_flash(self, start: int, length: int) -> bytes:
        """Return bytes of its flash as they are, saved or not yet."""
        where = {"start": start, "length": length}
        async with self._session.get(f"{self._socket}/flash", params=where) as response:
            response.raise_for_status()
            return await response.read()

    async def plug_in(
        self, watts: float, *, volts: float = 230.0, power_factor: float = 1.0
    ) -> None:
        """Plug a load into the socket."""
        await self._act("load", watts=watts, volts=volts, power_factor=power_factor)

    async def set_meter(self, **responses: dict[str, float]) -> None:
        """Let the meter chip be off: gain, offset, noise … of voltage, current or power."""
        await self._act("meter", **responses)

    async def press_button(self, seconds: float = 0.1) -> None:
        """Press the socket's button."""
        await self._act("button", pin=11, seconds=seconds)

    async def power(self, *, on: bool) -> None:
        """Switch the mains on or off."""
        await self._act("power", on=on)

    async def _act(self, action: str, **fields: Any) -> None:
        await self._post(f"{self._socket}/{action}", **fields)

    async def _post(self, path: str, **fields: Any) -> None:
        async with self._session.post(path, json=fields) as response:
            response.raise_for_status()
