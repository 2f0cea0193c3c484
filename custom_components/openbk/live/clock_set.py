"""Whether the clock of this computer was set, which nobody tells."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
import time
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, LOGGER
from ..helpers import Listeners

_LOOK_EVERY: Final = timedelta(minutes=1)
# A time server slews what is less; two looks at two clocks are some milliseconds apart.
_SET_BY: Final = 10.0


class _Watch:
    """Compares the clock with the steady one, once for all sockets."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self._listeners: Listeners[[]] = Listeners()
        self._ahead = 0.0
        self._stop: CALLBACK_TYPE | None = None

    @callback
    def listen(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        if self._stop is None:
            self._ahead = self._now_ahead()
            self._stop = async_track_time_interval(
                self._hass, self._look, _LOOK_EVERY, cancel_on_shutdown=True
            )
        self._listeners.add(listener)
        return partial(self._leave, listener)

    def _leave(self, listener: CALLBACK_TYPE) -> None:
        self._listeners.remove(listener)
        if not self._listeners and self._stop is not None:
            self._stop()
            self._stop = None

    @callback
    def _look(self, _now: datetime) -> None:
        before, self._ahead = self._ahead, self._now_ahead()
        if abs(self._ahead - before) < _SET_BY:
            return
        LOGGER.info("The clock was set by %.0f s", self._ahead - before)
        self._listeners.tell()

    def _now_ahead(self) -> float:
        return time.time() - self._hass.loop.time()


_WATCH: Final[HassKey[_Watch]] = HassKey(f"{DOMAIN}.clock_set")


@callback
def async_watch_clock_set(
    hass: HomeAssistant, listener: Callable[[], None]
) -> CALLBACK_TYPE:
    """Call a listener within a minute of when the clock was set by more than some seconds.

    A computer that slept looks the same. Return the function that stops it.
    """
    if (watch := hass.data.get(_WATCH)) is None:
        watch = hass.data[_WATCH] = _Watch(hass)
    return watch.listen(listener)
