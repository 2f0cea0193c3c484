"""How the firmware gets onto a network, or makes its own."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .settings import Flag, Settings

_AP_AFTER_SECONDS: Final = 5
_EARLY_SECONDS: Final = 30
_EARLY_RETRY: Final = 5
_LATE_RETRY: Final = 60

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
    jitter: float = 0.001
    """Standard deviation of the length of the meter's second."""


HARDWARE: Final = Timing()
# The build for a PC has its network at once and waits a whole retry period for MQTT.
NATIVE: Final = Timing(wifi_after=0, wifi_takes=0, mqtt_after=16)


class Wifi:
    """Counts down to attempts, once a second."""

    def __init__(
        self,
        settings: Settings,
        timing: Timing,
        access_points: AccessPoints,
        *,
        safe_mode: bool,
    ) -> None:
        """Begin with the radio off."""
        self._settings = settings
        self._timing = timing
        self._access_points = access_points
        self._safe_mode = safe_mode
        quick = settings.has_flag(Flag.QUICK_CONNECT)
        self._countdown = 0 if quick else timing.wifi_after
        self._ap_countdown = min(_AP_AFTER_SECONDS, timing.wifi_after)
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

    def open_access_point(self) -> None:
        """Leave the network and make an own one."""
        self.state = WifiState.ACCESS_POINT

    def every_second(self, uptime: int) -> None:
        """Do a second's work."""
        values = self._settings.values
        if self.state is WifiState.ACCESS_POINT:
            return
        if self._safe_mode or not values.wifi_ssid:
            self._ap_countdown -= 1
            if self._ap_countdown < 0:
                self.state = WifiState.ACCESS_POINT
            return
        if self.connected:
            if not self._let_in():
                self._fail(uptime)
            return
        self._countdown -= 1
        if self._countdown >= 0:
            return
        if self.state is WifiState.OFF and self._timing.wifi_takes:
            self.state = WifiState.CONNECTING
            self._countdown = self._timing.wifi_takes
        elif self._let_in():
            self.state = WifiState.CONNECTED
        else:
            self._fail(uptime)

    def _let_in(self) -> bool:
        values = self._settings.values
        return self.reachable and (
            self._access_points(values.wifi_ssid, values.wifi_password)
            or (
                bool(values.wifi_ssid2)
                and self._access_points(values.wifi_ssid2, values.wifi_password2)
            )
        )

    def _fail(self, uptime: int) -> None:
        self.state = WifiState.CONNECTING
        early = uptime < _EARLY_SECONDS
        self._countdown = _EARLY_RETRY if early else _LATE_RETRY
