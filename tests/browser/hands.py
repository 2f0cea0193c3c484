"""What a person's hands do to the simulated socket, and what befalls it and its neighbours."""

from typing import Any

from demo.control import SimulatorControl


class Hands(SimulatorControl):
    """Touch CEN, damage the wiring, and mend it."""

    async def reset(self) -> None:
        """Touch CEN to GND for a moment."""
        await self._act("reset")

    async def inject(self, name: str, **fields: Any) -> None:
        """Let a fault begin; see simulator/faults.py."""
        await self._act("fault", name=name, **fields)

    async def dawdle(self, command: str, *, nth: int = 1) -> None:
        """Make the chip slow, so that there is something to see of a page with progress."""
        await self.inject("reply_late", command=command, nth=nth, times=40, seconds=0.2)

    async def mend(self) -> None:
        """Let all faults end."""
        await self._act("mend")

    async def ask_socket(self, page: str, **fields: str) -> None:
        """Open one of the socket's own web pages."""
        address = (await self.state())["http"]
        async with self._session.get(
            f"http://{address}/{page}", params=fields
        ) as answer:
            answer.raise_for_status()

    async def trouble_releases(self, **troubles: Any) -> None:
        """Let the release server fail; see simulator/releases.py."""
        await self._post("/releases", **troubles)
