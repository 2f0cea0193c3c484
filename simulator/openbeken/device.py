"""A socket that runs OpenBeken: it boots from flash and lives until power goes."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from custom_components.openbk.pyopenbk.flash_map import OTA, SECTOR_SIZE
from custom_components.openbk.pyopenbk.roles import (
    METER_SELECT_ROLES,
    RELAY_ROLES,
    PinRole,
)
from simulator.clock import Clock
from simulator.flash import Flash
from simulator.meter import Bl0937

from .buttons import Button, ButtonEvent
from .console import Console
from .device_clock import DeviceClock
from .energy import EnergyDriver
from .http_server import Answer, HttpServer, Request
from .mqtt import MqttService
from .pins import Pins
from .release import Release
from .settings import CHANNEL_COUNT, Flag, Identity, Settings
from .variables import Variables
from .web import Web, may_skip_password
from .wifi import HARDWARE, AccessPoints, Timing, Wifi

_SAFE_MODE_AFTER: Final = 4
"""Boots in a row that failed before this one."""
_RESCUE_SECONDS: Final = 5
_DRIVER_METER: Final = "BL0937"

type Resolve = Callable[[str, int], tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A message that left the socket, with the simulated moment at which it did."""

    moment: float
    topic: str
    payload: bytes
    qos: int
    retain: bool


class _Restart(Exception):
    """The firmware restarts the chip."""


class OpenBeken:
    """The firmware, from power-on to the restart or the power cut that ends it.

    Everything it knows comes out of the flash: the configuration sector at 0x1D1000 and
    what it kept itself. ``run`` boots; it may be called again for the next boot. Cancelling
    it is a power cut: whatever has not been saved is lost.
    """

    def __init__(
        self,
        flash: Flash,
        clock: Clock,
        meter: Bl0937,
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
    ) -> None:
        """Prepare a chip that has not been started.

        ``resolve`` turns the host and port of the configuration into those to connect to.
        ``http_host`` is also the address that the socket says it has. ``on_restart`` is
        called when the firmware restarts the chip by itself, after which ``run`` returns.
        ``access_points(ssid, password)`` says whether a network lets the socket in.
        ``goes_silently``: without power or Wi-Fi the connection to the broker is not
        closed, as in reality, where the last will comes after 150 seconds.
        Raises ValueError where ``mac`` is none.
        """
        self.flash = flash
        self.clock = clock
        self.meter = meter
        self.identity = Identity.of(mac)
        self.release = release or Release()
        self.resolve: Resolve = resolve or (lambda host, port: (host, port))
        self.ip_address = http_host
        self.chip_temperature = chip_temperature
        self.goes_silently = goes_silently
        self.signal_dbm = -61
        self.free_heap = 100000
        self._http_port = http_port
        self._on_restart = on_restart
        self._on_publish = on_publish
        self._timing = timing
        self._access_points = access_points or (lambda _ssid, _password: True)
        self._device_clock = device_clock
        self.booted_at = 0.0
        """The simulated moment of the last boot."""
        self._running = False
        self._serving = False
        self._moment: float | None = None
        self._failure: BaseException | None = None
        """What ended a part of the firmware, to end all of it."""
        self._tasks: set[asyncio.Task[None]] = set()

    # What tests and the control interface look at

    @property
    def running(self) -> bool:
        """Return whether the firmware runs."""
        return self._running

    @property
    def channels(self) -> Mapping[int, int]:
        """Return the values of the channels in use; empty while nothing runs."""
        if not self._running:
            return {}
        return {ch: self.channel(ch) for ch in self.pins.used_channels()}

    @property
    def http_address(self) -> str | None:
        """Return host:port of the web server, None while nobody can reach it."""
        return f"{self.ip_address}:{self._http_port}" if self._serving else None

    def relay(self, channel: int) -> bool:
        """Return whether the relay of a channel is closed."""
        return (
            self._running
            and self.pins.driven
            and channel in self.pins.relay_channels()
            and self.pins.values[channel] != 0
        )

    def pin_level(self, pin: int) -> bool:
        """Return the level on a pin; low where nothing drives it."""
        if not self._running:
            return False
        role = self.pins.role(pin)
        if self.pins.is_button(pin):
            pressed = self.clock.now() < self._fingers.get(pin, 0.0)
            return self.pins.button_level(pin, pressed)
        if role in METER_SELECT_ROLES and self.energy:
            return self.energy.select_level
        lit = self.wifi.led_lit(self.clock.now())
        return bool(self.pins.output_level(pin, wifi_led=lit))

    def press_button(
        self, pin: int, seconds: float = 0.1, *, times: int = 1, gap: float = 0.15
    ) -> None:
        """Press a button for so long, ``times`` in a row with a gap between.

        The presses last as long as given by the clock, however busy the machine is.
        Nothing happens where no button is read.
        """
        if not self._running or not self.pins.is_button(pin):
            return
        if pin not in self._buttons:
            button = Button(pin, self.clock, self.settings, self._on_button)
            self._buttons[pin] = button
            self._start(button.run())
        self._fingers[pin] = self._buttons[pin].press(seconds, times=times, gap=gap)

    @property
    def buttons_idle(self) -> bool:
        """Return whether all presses have had their effect."""
        return all(button.idle for button in self._buttons.values())

    # Life

    async def run(self) -> None:
        """Boot and run; returns when the firmware has restarted the chip."""
        self._boot()
        ticks = 0
        self.booted_at = self.clock.now()
        try:
            while True:
                ticks += 1
                moment = self.booted_at + ticks
                await self.clock.sleep_until(moment)
                await self._every_second(moment)
        except _Restart:
            self._stop(silently=self.goes_silently)
            if self._on_restart:
                self._on_restart()
        finally:
            self._stop(silently=self.goes_silently)

    def _boot(self) -> None:
        self._failure = None
        self.settings = Settings(self.flash, self.identity)
        self.variables = Variables.load(self.flash, self.release.variables_address)
        self.variables.failed_boots += 1
        self.variables.save()
        self.failed_boots = self.variables.failed_boots
        self.safe_mode = self.failed_boots > _SAFE_MODE_AFTER
        self.unlocked = False
        """The REST interface was let into safe mode."""
        self.uptime = 0
        self.flashing_over_air = False
        self.drivers: set[str] = set()
        self.energy: EnergyDriver | None = None
        self._seconds_to_restart = 0
        self._safe_mode_next = False
        self._fingers: dict[int, float] = {}
        self._buttons: dict[int, Button] = {}
        self.device_clock = self._device_clock or DeviceClock(self.clock)
        self.device_clock.forget()
        self.wifi = Wifi(
            self.settings, self._timing, self._access_points, safe_mode=self.safe_mode
        )
        self.pins = Pins(self.settings, self.variables, self._on_channel)
        self.mqtt = MqttService(self, first_attempt_after=self._timing.mqtt_after)
        self.console = Console(self)
        self._web = Web(self)
        self._http = HttpServer(self._answer, self._web_password)
        self._running = True
        if not self.safe_mode:
            self._start_up()

    def _start_up(self) -> None:
        self.pins.start()
        self.follow_relay()
        if self.pins.has_meter() and not self.settings.has_flag(
            Flag.NO_DRIVER_AUTOSTART
        ):
            self.start_driver(_DRIVER_METER)
        if self.settings.has_flag(Flag.HOME_ASSISTANT_DISCOVERY):
            self.mqtt.schedule_discovery(1)
        if self.failed_boots < 2:
            self.console.execute(self.settings.values.startup_command)

    async def _every_second(self, moment: float) -> None:
        if self._failure:
            raise self._failure
        self._moment = moment
        try:
            self.wifi.every_second(self.uptime)
            await self._serve()
            await self.mqtt.every_second()
            if self.energy:
                self.energy.every_second(
                    moment, uptime=self.uptime, online=self.mqtt.online
                )
            if self.wifi.connected:
                self.device_clock.every_second()
            self.settings.every_second()
            self._count_boot()
            self._count_down_restart(moment)
            self.uptime += 1
        finally:
            self._moment = None

    async def _serve(self) -> None:
        if self.wifi.serving and not self._serving:
            # A port that was taken in the meantime is tried again in a second.
            with suppress(OSError):
                self._http_port = await self._http.start(
                    self.ip_address, self._http_port
                )
                self._serving = True
        elif self._serving and not self.wifi.serving:
            self._http.stop()
            self._serving = False

    def _count_boot(self) -> None:
        if (
            self.variables.failed_boots
            and self.uptime >= self.settings.values.boot_success_seconds
            and not self._safe_mode_next
        ):
            self.variables.failed_boots = 0
            self.variables.save()

    def _count_down_restart(self, moment: float) -> None:
        if not self._seconds_to_restart:
            return
        self._seconds_to_restart -= 1
        if self._seconds_to_restart:
            return
        self.settings.save()
        if self.energy:
            self.energy.save(moment)
        raise _Restart

    def _stop(self, *, silently: bool = False) -> None:
        if not self._running:
            return
        self._running = self._serving = False
        self.mqtt.close(silently=silently)
        self._http.stop()
        self.meter.relay_closed = False
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    # What the parts of the firmware ask of it

    @property
    def moment(self) -> float:
        """Return the firmware's time: the second it works on, else the clock's."""
        return self.clock.now() if self._moment is None else self._moment

    def channel(self, channel: int) -> int:
        """Return the value of a channel, 0 for one that does not exist."""
        return self.pins.values[channel] if 0 <= channel < CHANNEL_COUNT else 0

    def fail(self, error: BaseException) -> None:
        """End the firmware with an error of one of its parts, such as a power cut."""
        self._failure = error

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

    def follow_relay(self) -> None:
        """Give the load power, or take it away, as the relay pins say."""
        self.meter.relay_closed = any(
            self.relay(self.pins.channel(pin))
            for pin in self.pins.with_role(RELAY_ROLES)
        )

    def remember_channel(self, channel: int) -> None:
        """Keep the present value of a channel over a power cut."""
        self.variables.channels[channel] = self.channel(channel)
        self.variables.save()

    def start_driver(self, name: str) -> None:
        """Start a driver by its name in upper case."""
        if name in self.drivers or (name == "MDNS" and not self.release.has_mdns):
            return
        if name == "NTP":
            self.device_clock.start_ntp()
        elif name == _DRIVER_METER:
            self._start_meter()
        self.drivers.add(name)

    def stop_driver(self, name: str) -> None:
        """Stop a driver."""
        self.drivers.discard(name)
        if name == "NTP":
            self.device_clock.stop_ntp()
        elif name == _DRIVER_METER:
            self.energy = None

    def restart_in(self, seconds: int) -> None:
        """Restart by oneself: settings and energy are saved first."""
        self._seconds_to_restart = max(1, seconds)

    def restart_into_safe_mode(self, seconds: int) -> None:
        """Restart with the boot counter beyond its limit."""
        self.variables.failed_boots = _SAFE_MODE_AFTER
        self.variables.save()
        self._safe_mode_next = True
        self.restart_in(seconds)

    def open_access_point(self) -> None:
        """Forget the Wi-Fi network and open an own one."""
        self.settings.change(wifi_ssid="", wifi_password="")
        self.settings.save()
        self.wifi.open_access_point()

    def rediscover(self) -> None:
        """Send the discovery again after names or pins changed, with flag 27."""
        if self.settings.has_flag(Flag.HOME_ASSISTANT_DISCOVERY):
            self.mqtt.schedule_discovery(1)

    def count_ota(self) -> None:
        """Note that a firmware has been received."""
        count = (self.settings.values.ota_counter + 1) & 0xFFFF
        self.settings.change(ota_counter=count)

    def fetch_firmware(self, url: str) -> None:
        """Load a firmware over HTTP into the OTA region, then restart."""
        self._start(self._fetch_firmware(url))

    async def _fetch_firmware(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            return
        host, port = self.resolve(parts.hostname, parts.port or 80)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self.flashing_over_air = True
        try:
            image = await _download(host, port, path or "/", parts.netloc)
        finally:
            self.flashing_over_air = False
        if not image or len(image) > OTA.size:
            return
        padding = -len(image) % SECTOR_SIZE
        self.flash.rewrite(OTA.start, image + b"\xff" * padding)
        self.count_ota()
        self.restart_in(3)

    def _start_meter(self) -> None:
        self.energy = EnergyDriver(
            meter=self.meter,
            settings=self.settings,
            variables=self.variables,
            pins=self.pins,
            device_clock=self.device_clock,
            release=self.release,
            publish=self._publish_reading,
            now=self.moment,
            jitter=self._timing.jitter,
            seed=int.from_bytes(self.identity.mac),
        )
        self.console.add_meter_commands(self.energy)

    def _publish_reading(self, name: str, text: str, qos: int) -> None:
        self.mqtt.publish(name, text, qos=qos)

    def _web_password(self) -> str:
        if may_skip_password(self):
            return ""
        return self.settings.values.web_password

    def _on_channel(self, channel: int) -> None:
        self.follow_relay()
        if self.pins.is_published(channel) or self.settings.has_flag(
            Flag.PUBLISH_ALL_CHANNELS
        ):
            self.mqtt.publish_channel(channel)
        self.console.fire_channel_change(channel)

    def _on_button(self, pin: int, event: ButtonEvent, repeated: bool) -> None:
        if self.settings.has_flag(Flag.IGNORE_BUTTONS):
            return
        outer, self._moment = self._moment, self._buttons[pin].moment
        try:
            if not repeated:
                self.console.fire(event, pin)
            self._act_on_button(pin, event)
        finally:
            self._moment = outer

    def _act_on_button(self, pin: int, event: ButtonEvent) -> None:
        role = self.pins.role(pin)
        if event is ButtonEvent.DOUBLE_CLICK and self.uptime < _RESCUE_SECONDS:
            self.open_access_point()
        if role in (PinRole.BTN_SCRIPT_ONLY, PinRole.BTN_SCRIPT_ONLY_N):
            return
        instant = self.settings.has_flag(Flag.INSTANT_TOUCH)
        if event is (ButtonEvent.PRESS if instant else ButtonEvent.CLICK):
            if role in (PinRole.BTN_TGL_ALL, PinRole.BTN_TGL_ALL_N):
                self.pins.toggle_all()
            else:
                self.pins.toggle(self.pins.channel(pin))
        elif event is ButtonEvent.DOUBLE_CLICK:
            if role in (PinRole.BTN_TGL_ALL, PinRole.BTN_TGL_ALL_N):
                self.pins.toggle_all()
            else:
                self.pins.toggle(self.settings.values.channels2[pin])

    def _start(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_over)

    def _on_task_over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.fail(error)

    async def _answer(self, request: Request) -> Answer:
        try:
            return await self._web.handle(request)
        except Exception as error:
            self.fail(error)
            raise ConnectionAbortedError from error


async def _download(host: str, port: int, path: str, name: str) -> bytes:
    """Fetch a file with a plain GET; empty where that fails."""
    request = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return b""
    try:
        writer.write(request.encode())
        answer = await reader.read(-1)
    except OSError:
        return b""
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return body if b" 200 " in head.split(b"\r\n")[0] else b""
