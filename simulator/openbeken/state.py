"""What the parts of the firmware share during one boot, and what they may ask of it."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final

from custom_components.openbk.pyopenbk.roles import PinRole
from simulator.clock import Clock
from simulator.flash import Flash
from simulator.meter import MeteredLoad

from .device_clock import DeviceClock
from .energy import EnergyDriver
from .pins import ChannelListener, Pins
from .release import Release
from .settings import CHANNEL_COUNT, Identity, Settings
from .variables import Variables
from .wifi import HARDWARE, AccessPoints, Timing, Wifi

SAFE_MODE_AFTER: Final = 4
"""With more boots in a row that did not last, the next one is in safe mode."""
BLOW_ACTIVE_LOW: Final = frozenset({8, 10})
"""The pins of a BLOW 72-074 whose LED shines at a low level."""

_LOG_LINES: Final = 500

type Resolve = Callable[[str, int], tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A message that left the socket, with the simulated moment at which it did."""

    moment: float
    topic: str
    payload: bytes
    qos: int
    retain: bool


class DeviceState:
    """The chip, its surroundings, and everything that one boot knows.

    Parts of the firmware get it and never the device that assembles them.
    """

    settings: Settings
    variables: Variables
    pins: Pins
    wifi: Wifi
    device_clock: DeviceClock
    fetch_firmware: Callable[[str], None]
    """Loads a firmware from an address, then restarts."""

    def __init__(
        self,
        flash: Flash,
        clock: Clock,
        meter: MeteredLoad,
        mac: str,
        *,
        http_host: str = "127.0.0.1",
        http_port: int = 0,
        resolve: Resolve | None = None,
        on_restart: Callable[[], None] | None = None,
        on_publish: Callable[[Publication], None] | None = None,
        release: Release | None = None,
        timing: Timing = HARDWARE,
        access_points: AccessPoints | None = None,
        device_clock: DeviceClock | None = None,
        chip_temperature: float = 0.0,
        goes_silently: bool = False,
        active_low: frozenset[int] = BLOW_ACTIVE_LOW,
    ) -> None:
        """Prepare a chip that has not been started.

        ``resolve`` turns the host and port of the configuration into those to connect to.
        ``http_host`` is also the address that the socket says it has. ``on_restart`` is
        called when the firmware restarts the chip by itself, after which ``run`` returns.
        ``access_points(ssid, password)`` says whether a network lets the socket in.
        ``goes_silently``: without power or Wi-Fi the connection to the broker is not
        closed, as in reality, where the last will comes after 150 seconds.
        ``active_low`` are the pins at which the board's LED shines, or its relay closes,
        while the level is low, whatever role the configuration gives them.
        Raises ValueError where ``mac`` is none.
        """
        self.flash = flash
        self.clock = clock
        self.meter = meter
        self.identity = Identity.of(mac)
        self.release = release or Release()
        self.resolve: Resolve = resolve or (lambda host, port: (host, port))
        self.ip_address = http_host
        self.http_port = http_port
        """The web server's port; 0 until it first listened on a free one."""
        self.on_restart = on_restart
        self.timing = timing
        self.chip_temperature = chip_temperature
        self.goes_silently = goes_silently
        self.signal_dbm = -61
        self.free_heap = 100000
        self._on_publish = on_publish
        self._access_points = access_points or (lambda _ssid, _password: True)
        self._given_clock = device_clock
        self.booted_at = 0.0
        """The simulated moment of the last boot."""
        self.running = False
        """Whether the firmware runs."""
        self.failed_boots = 0
        self.safe_mode = False
        self.uptime = 0
        self.ota_progress = -1
        """What has been written of a firmware, in bytes; -1 while none comes."""
        self.drivers: set[str] = set()
        """The names of those that run, in upper case."""
        self.energy: EnergyDriver | None = None
        """The meter's driver, while it runs."""
        self.seconds_to_restart = 0
        self.seconds_to_unsafe_start = 0
        """Until safe mode is left without a restart."""
        self.active_low = active_low
        self.labels: dict[int, tuple[str, bool]] = {}
        """What channels are called on the pages, and whether "Toggle" is left out there."""
        self.latched: set[int] = set()
        """The forward pins of two-coil relays that are closed; power cuts do not move them."""
        self.failure: BaseException | None = None
        """What ended a part of the firmware, to end all of it."""
        self.log_lines: deque[str] = deque(maxlen=_LOG_LINES)
        """What the firmware wrote to its log."""
        self._moment: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, on_channel: ChannelListener) -> None:
        """Read the flash as a boot does; ``on_channel`` follows each channel's change."""
        self.failure = None
        self.settings = Settings(self.flash, self.identity, self.release.chip)
        self.variables = Variables.load(self.flash, self.release.variables_address)
        self.variables.count_boot()
        self.failed_boots = self.variables.failed_boots
        self.safe_mode = self.failed_boots > SAFE_MODE_AFTER
        self.uptime = 0
        self.ota_progress = -1
        self.drivers = set()
        self.energy = None
        self.labels = {}
        self.seconds_to_restart = 0
        self.seconds_to_unsafe_start = 0
        self.device_clock = self._given_clock or DeviceClock(self.clock)
        self.device_clock.forget()
        self.wifi = Wifi(
            self.settings,
            self.timing,
            self._access_points,
            failed_boots=self.failed_boots,
            safe_mode=self.safe_mode,
        )
        self.pins = Pins(self.settings, self.variables, on_channel)
        self.pins.wifi_led_lit = lambda: self.wifi.led_lit(self.clock.now())
        self.log_lines.clear()
        self.log("MAIN", self.release.build)
        # The firmware really writes the password.
        self.log("MAIN", f"Using SSID [{self.settings.values.wifi_ssid}]")
        self.log("MAIN", f"Using Pass [{self.settings.values.wifi_password}]")

    def log(self, feature: str, text: str, level: str = "Info") -> None:
        """Write a line to the log, as ``Info:CMD:…``."""
        self.log_lines.append(f"{level}:{feature}:{text}")

    def end(self) -> None:
        """Let go of what was under way when the power went."""
        self.running = False
        self.meter.relay_closed = False
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    # Time

    @property
    def moment(self) -> float:
        """Return the firmware's time: the second it works on, else the clock's."""
        return self.clock.now() if self._moment is None else self._moment

    def work_on(self, moment: float | None) -> float | None:
        """Have ``moment`` stand still, or run with None; returns what it was before."""
        before, self._moment = self._moment, moment
        return before

    # Channels and relays

    def channel(self, channel: int) -> int:
        """Return the value of a channel, 0 for one that does not exist."""
        return self.pins.values[channel] if 0 <= channel < CHANNEL_COUNT else 0

    def relay(self, channel: int) -> bool:
        """Return whether the contact of the relay on a channel is closed."""
        if not self.running:
            return False
        return any(
            self.closed(pin)
            for pin in {
                *self.pins.relay_pins,
                *self.pins.with_role(frozenset({PinRole.BRIDGE_FWD})),
            }
            if self.pins.channel(pin) == channel
        )

    def closed(self, pin: int) -> bool:
        """Return whether a relay is closed, by the pin that it hangs on.

        For one with two coils that is the pin whose pulse closes it.
        """
        if pin in self.pins.relay_pins:
            level = self.pins.level(pin)
            return level is not None and level is not (pin in self.active_low)
        return pin in self.latched

    def latch(self, pin: int, *, closed: bool) -> None:
        """Move the contact of a two-coil relay, by the pin whose pulse closes it."""
        if closed:
            self.latched.add(pin)
        else:
            self.latched.discard(pin)
        self.follow_relay()

    def follow_relay(self) -> None:
        """Give the load power, or take it away, as the relays' contacts are."""
        self.meter.relay_closed = self.running and (
            bool(self.latched) or any(map(self.closed, self.pins.relay_pins))
        )

    # Messages, restarts and the network

    def note_publication(
        self, topic: str, payload: bytes, qos: int, retain: bool
    ) -> None:
        """Tell whoever listens that a message left."""
        if self._on_publish:
            self._on_publish(
                Publication(
                    moment=self.moment,
                    topic=topic,
                    payload=payload,
                    qos=qos,
                    retain=retain,
                )
            )

    def restart_in(self, seconds: int) -> None:
        """Restart by oneself, settings and energy saved; 0 or less means never."""
        self.seconds_to_restart = seconds

    def leave_safe_mode_in(self, seconds: int) -> None:
        """Start what safe mode left out, but no drivers and no start-up command."""
        self.seconds_to_unsafe_start = seconds

    def forget_network(self) -> None:
        """Clear the Wi-Fi network, so that the next start opens an access point."""
        self.settings.change(wifi_ssid="", wifi_password="")

    # Firmware over the air

    @property
    def flashing_over_air(self) -> bool:
        """Return whether a firmware comes, or an upload left the firmware believing it."""
        return self.ota_progress != -1

    def count_ota(self) -> None:
        """Note that a firmware has been received."""
        count = (self.settings.values.ota_counter + 1) & 0xFFFF
        self.settings.change(ota_counter=count)

    # What runs beside the firmware's second

    def start(self, coroutine: Coroutine[None, None, None]) -> None:
        """Run something until its end or that of the boot; its error ends the firmware."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_over)

    def fail(self, error: BaseException) -> None:
        """End the firmware with an error of one of its parts, such as a power cut."""
        self.failure = error

    def _on_task_over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.fail(error)
