"""Looks whether a socket still has the factors that its calibration was made with."""

import asyncio
from collections.abc import Mapping
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from ..const import LOGGER
from ..helpers import Listeners
from ..network.consoles import async_console_of
from ..pyopenbk.meters import Meter
from ..pyopenbk.obk.console import ConsoleError
from ..pyopenbk.obk.meter import read_factors
from .calibration import SocketCalibration
from .meter import SocketMeter
from .presence import Later

# Somebody may set factors on the web page at any time. Twelve bytes each time, and only of
# sockets that are calibrated.
_LOOK_EVERY: Final = 900.0
# The first values come 15 s after a boot; after a mere loss of the connection they are late by so
# much, unless the factors are known before.
_HELD_FOR: Final = 5.0


class FactorWatch:
    """Reads the factors of one calibrated socket when it appears, and now and then.

    A calibration is about pulses, so its gain follows the factors. As long as they are being read
    after a restart, no reading is shown that they may not fit.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        calibration: SocketCalibration,
        meter: SocketMeter,
        later: Later,
        kind: Meter,
    ) -> None:
        """Prepare for a socket with a meter of this kind; nothing is read yet."""
        self._kind = kind
        self.changed: frozenset[str] = frozenset()
        """The calibrated quantities whose factor somebody else changed."""
        self.doubtful = False
        """The factors cannot be read, although the socket forgot what it had counted."""
        self.listeners: Listeners[[]] = Listeners()
        self._hass = hass
        self._entry = entry
        self._calibration = calibration
        self._meter = meter
        self._later = later
        self._timer: CALLBACK_TYPE | None = None

    @callback
    def begin(self) -> None:
        """Look at a socket that has just appeared."""
        self.stop()
        self._look(hold=True)

    @callback
    def stop(self) -> None:
        """Leave no timer behind."""
        if self._timer is not None:
            self._timer()
            self._timer = None

    def _look(self, *, hold: bool = False) -> None:
        self._timer = self._later(_LOOK_EVERY, self._look_again)
        # Whoever is comparing the socket with a reference reads them, too.
        if self._calibration.known and not self._calibration.lock.locked():
            self._entry.async_create_background_task(
                self._hass,
                self._hold() if hold else self._read(),
                f"openbk factors of {self._entry.title}",
            )

    @callback
    def _look_again(self) -> None:
        self._look()

    async def _hold(self) -> None:
        """Read while nothing is shown; a closed web page must not hide everything for long."""
        reading = asyncio.create_task(self._read())
        try:
            with self._calibration.held():
                await asyncio.wait([reading], timeout=_HELD_FOR)
            await reading
        finally:
            reading.cancel()

    async def _read(self) -> None:
        if (factors := await self._ask()) is None:
            self._judge_without()
            return
        self.doubtful = False
        before = dict(self._calibration.factors)
        known = frozenset(self._calibration.known)
        self._calibration.learn_factors(factors)
        self.changed = frozenset(
            key for key in known if before.get(key, factors[key]) != factors[key]
        )
        self._tell()

    async def _ask(self) -> Mapping[str, float] | None:
        try:
            console = await async_console_of(self._hass, self._entry.data)
            return await read_factors(console, self._kind)
        except ConsoleError as err:
            LOGGER.debug("Factors of %s: %s", self._entry.title, err)
            return None

    def _judge_without(self) -> None:
        self.changed = frozenset()
        self.doubtful = self._meter.lost_counters
        self._tell()

    def _tell(self) -> None:
        if self.changed or self.doubtful:
            self.listeners.tell()
