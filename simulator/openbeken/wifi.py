"""How the firmware gets onto a network, or makes its own."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .settings import Flag, Settings

_AP_AFTER_SECONDS: Final = 5
# After a refusal, or the loss of the network, the next attempt follows in so many seconds.
_EARLY_SECONDS: Final = 30
_EARLY_RETRY: Final = 5
_RETRY_AFTER_REFUSAL: Final = 60
_RETRY_AFTER_LOSS: Final = 15
# Attempts with one of two networks before the other has its turn.
_ATTEMPTS_EACH: Final = 3
_QUICK_UP_TO_FAILED_BOOTS: Final = 2

type AccessPoints = Callable[[str, str], bool]
"""Whether a network of this name lets someone in with this password."""


class WifiState(StrEnum):
    """What the radio does."""

    OFF = "off"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    ACCESS_POINT = "access point"


# How long half a blink of the Wi-Fi LED takes, in seconds.
_BLINK: Final = {WifiState.ACCESS_POINT: 0.25, WifiState.CONNECTING: 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When things happen after power-on, in seconds."""

    wifi_after: int = 5
    """The first attempt to join the network."""
    wifi_takes: int = 2
    """From the attempt to the address."""
    mqtt_after: int = 3
    """From the address to the first attempt to reach the broker."""
    jitter: float = 0.0003
    """Standard deviation of the length of the meter's second, in whole ticks of 2 ms.

    A timer of the RTOS fires with its tick, and is rarely late by one: recorded volts
    differ by a pulse.
    """


HARDWARE: Final = Timing()
# The build for a PC has its network at once and waits a whole retry period for MQTT.
NATIVE: Final = Timing(wifi_after=0, wifi_takes=0, mqtt_after=16, jitter=0.001)


class Wifi:
    """Counts down to attempts, once a second.

    A name and a password are looked up when an attempt begins: what is changed later
    counts from the next one on (Main_ConnectToWiFiNow, 1.18.300).
    """

    def __init__(
        self,
        settings: Settings,
        timing: Timing,
        access_points: AccessPoints,
        *,
        failed_boots: int,
        safe_mode: bool,
    ) -> None:
        """Begin with the radio off."""
        self._settings = settings
        self._timing = timing
        self._access_points = access_points
        self.quick = (
            settings.has_flag(Flag.QUICK_CONNECT)
            and failed_boots <= _QUICK_UP_TO_FAILED_BOOTS
        )
        """It connects at once, network and broker."""
        self._countdown = 0 if self.quick else timing.wifi_after
        self._seconds_to_access_point = 0
        if safe_mode or not settings.values.wifi_ssid:
            self.open_access_point(min(_AP_AFTER_SECONDS, timing.wifi_after))
        self._attempts = 0
        self._second = False
        self._network = ("", "")
        self.state = WifiState.OFF
        self.reachable = True
        """Whether the access point is in range."""

    @property
    def connected(self) -> bool:
        """Return whether the socket is on a network."""
        return self.state is WifiState.CONNECTED

    @property
    def serving(self) -> bool:
        """Return whether anybody can reach the web server."""
        return self.state in (WifiState.CONNECTED, WifiState.ACCESS_POINT)

    def led_lit(self, now: float) -> bool:
        """Return whether the Wi-Fi LED shines at a simulated moment."""
        if self.state is WifiState.CONNECTED:
            return True
        if blink := _BLINK.get(self.state):
            return int(now / blink) % 2 == 0
        return False

    def open_access_point(self, seconds: int = _AP_AFTER_SECONDS) -> None:
        """Leave the network, and make an own one in so many seconds."""
        self._seconds_to_access_point = max(1, seconds)

    def every_second(self, uptime: int) -> None:
        """Do a second's work."""
        if self.state is WifiState.ACCESS_POINT:
            return
        if self._seconds_to_access_point:
            self._seconds_to_access_point -= 1
            opened = not self._seconds_to_access_point
            self.state = WifiState.ACCESS_POINT if opened else WifiState.OFF
        elif self.connected:
            if not self._let_in():
                self._fail(uptime, _RETRY_AFTER_LOSS)
        else:
            self._try_to_connect(uptime)

    def _try_to_connect(self, uptime: int) -> None:
        self._countdown -= 1
        if self._countdown > 0:
            return
        if self.state is WifiState.OFF and self._timing.wifi_takes:
            self.state = WifiState.CONNECTING
            self._countdown = self._timing.wifi_takes
            return
        self._network = self._next_network()
        if self._let_in():
            self.state = WifiState.CONNECTED
            self._attempts = 0
        else:
            late = _RETRY_AFTER_REFUSAL if self.reachable else _RETRY_AFTER_LOSS
            self._fail(uptime, late)

    def _next_network(self) -> tuple[str, str]:
        values = self._settings.values
        if values.wifi_ssid2:
            if self._attempts >= _ATTEMPTS_EACH:
                self._attempts = 0
                self._second = not self._second
            else:
                self._attempts += 1
        if self._second:
            return values.wifi_ssid2, values.wifi_password2
        return values.wifi_ssid, values.wifi_password

    def _let_in(self) -> bool:
        name, password = self._network
        return self.reachable and bool(name) and self._access_points(name, password)

    def _fail(self, uptime: int, late: int) -> None:
        self.state = WifiState.CONNECTING
        self._countdown = _EARLY_RETRY if uptime < _EARLY_SECONDS else late
