"""A socket that runs OpenBeken: it boots from flash and lives until power goes."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from custom_components.openbk.pyopenbk.roles import METER_SELECT_ROLES, PinRole

from .buttons import Button, ButtonEvent
from .console import Console
from .drivers import BRIDGE, METER, Drivers
from .energy import FirmwareCrash
from .http_server import Answer, HttpServer, Request
from .mqtt import MqttService
from .ota import OverTheAir
from .settings import Flag
from .state import DeviceState
from .web import Web, may_skip_password

_RESCUE_SECONDS: Final = 5
_DEFAULT_BOOT_SECONDS: Final = 5
_INPUT_DEBOUNCE_SECONDS: Final = 0.25
_DOUBLE: Final = ButtonEvent.DOUBLE_CLICK
_ALL_BUTTONS: Final = frozenset({PinRole.BTN_TGL_ALL, PinRole.BTN_TGL_ALL_N})
_SCRIPT_BUTTONS: Final = frozenset({PinRole.BTN_SCRIPT_ONLY, PinRole.BTN_SCRIPT_ONLY_N})
_TWO_CHANNEL_BUTTONS: Final = frozenset(
    {PinRole.BTN, PinRole.BTN_N, PinRole.BTN_PD, PinRole.BTN_PD_N}
)


class _Restart(Exception):
    """The firmware restarts the chip."""


class OpenBeken(DeviceState):
    """The firmware, from power-on to the restart or the power cut that ends it.

    Everything it knows comes out of the flash: the configuration sector at 0x1D1000 and
    what it kept itself. ``run`` boots; it may be called again for the next boot. Cancelling
    it is a power cut: whatever has not been saved is lost.
    """

    _serving = False

    # What tests and the control interface look at

    @property
    def channels(self) -> Mapping[int, int]:
        """Return the values of the channels in use; empty while nothing runs."""
        if not self.running:
            return {}
        return {ch: self.channel(ch) for ch in self.pins.used_channels()}

    @property
    def http_address(self) -> str | None:
        """Return host:port of the web server, None while nobody can reach it."""
        return f"{self.ip_address}:{self.http_port}" if self._serving else None

    def pin_level(self, pin: int) -> bool:
        """Return the level on a pin; low where nothing drives it."""
        if not self.running:
            return False
        if self.pins.is_button(pin):
            pressed = self.clock.now() < self._fingers.get(pin, 0.0)
            return self.pins.button_level(pin, pressed)
        return bool(self._driven_level(pin))

    def light(self, pin: int) -> bool:
        """Return whether the LED on a pin shines, by how the board is wired."""
        level = self._driven_level(pin) if self.running else None
        return level is not None and level is not (pin in self.active_low)

    def _driven_level(self, pin: int) -> bool | None:
        if self.pins.role(pin) in METER_SELECT_ROLES and self.energy:
            return bool(self.energy.select_level)
        if (
            self._drivers.bridges
            and (level := self._drivers.bridges.level(pin)) is not None
        ):
            return level
        return self.pins.level(pin)

    def press_button(
        self, pin: int, seconds: float = 0.1, *, times: int = 1, gap: float = 0.15
    ) -> None:
        """Press a button for so long, ``times`` in a row with a gap between.

        The presses last as long as given by the clock, however busy the machine is.
        Nothing happens where no button is read.
        """
        if not self.running or not self.pins.is_button(pin):
            return
        if pin not in self._buttons:
            button = Button(pin, self.clock, self.settings, self._on_button)
            self._buttons[pin] = button
            self.start(button.run())
        self._fingers[pin] = self._buttons[pin].press(seconds, times=times, gap=gap)

    def set_input(self, pin: int, *, level: bool) -> None:
        """Put a level on an input, which the firmware heeds once it stayed so for 250 ms."""
        if self.running and self._inputs.get(pin, True) is not level:
            self._inputs[pin] = level
            self.start(self._settle(pin, level))

    async def _settle(self, pin: int, level: bool) -> None:
        await self.clock.sleep(_INPUT_DEBOUNCE_SECONDS)
        if self._inputs.get(pin) is level and not self.settings.has_flag(
            Flag.IGNORE_BUTTONS
        ):
            self.pins.sense(pin, level)

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
        except _Restart, FirmwareCrash:
            # After a crash the watchdog does it, and nothing was saved.
            self._stop(silently=self.goes_silently)
            if self.on_restart:
                self.on_restart()
        finally:
            self._stop(silently=self.goes_silently)

    def _boot(self) -> None:
        self.begin(self._on_channel)
        self._fingers: dict[int, float] = {}
        self._buttons: dict[int, Button] = {}
        self._inputs: dict[int, bool] = {}
        self.console = Console(self)
        self.mqtt = MqttService(self, self.console)
        self._drivers = Drivers(self, self.console, self.mqtt)
        self._http = HttpServer(self._answer, self._web_password)
        over_air = OverTheAir(self, self._http.hang)
        self.fetch_firmware = over_air.fetch
        self._web = Web(self, self.console, self.mqtt, over_air)
        self.running = True
        self.follow_relay()
        if not self.safe_mode:
            self._start_up()
            self.console.run_start_up()

    def _start_up(self) -> None:
        self.pins.start()
        if not self.settings.has_flag(Flag.NO_DRIVER_AUTOSTART):
            if self.pins.has_meter():
                self._drivers.start(METER)
            if self.pins.has_bridge():
                self._drivers.start(BRIDGE)
        self.follow_relay()
        if self.settings.has_flag(Flag.HOME_ASSISTANT_DISCOVERY):
            self.mqtt.schedule_discovery(1)

    def _leave_safe_mode(self) -> None:
        # The access point stays: the network is tried again after a restart only.
        self.safe_mode = False
        self.pins.start()
        self.follow_relay()

    async def _every_second(self, moment: float) -> None:
        if self.failure:
            raise self.failure
        self.work_on(moment)
        try:
            self.wifi.every_second(self.uptime)
            await self._serve()
            await self.mqtt.every_second()
            if self._drivers.bridges:
                self._drivers.bridges.advance()
            if self.energy:
                self.energy.may_save = not self.flashing_over_air
                self.energy.every_second(
                    moment, uptime=self.uptime, online=self.mqtt.online
                )
            if self.wifi.connected and not self.flashing_over_air:
                self.device_clock.every_second()
            if not self.flashing_over_air:
                self.settings.save()
            self._count_boot()
            self._count_down_unsafe_start()
            self._count_down_restart(moment)
            self.uptime += 1
        finally:
            self.work_on(None)

    async def _serve(self) -> None:
        if self.wifi.serving and not self._serving:
            # A port that was taken in the meantime is tried again in a second.
            with suppress(OSError):
                self.http_port = await self._http.start(self.ip_address, self.http_port)
                self._serving = True
        elif self._serving and not self.wifi.serving:
            self._http.stop()
            self._serving = False

    def _count_boot(self) -> None:
        # A boot time of 0 counts as the default; safe mode lasts as well as any other.
        lasting = self.settings.values.boot_success_seconds or _DEFAULT_BOOT_SECONDS
        if self.variables.failed_boots and self.uptime == lasting:
            self.variables.mark_boot_good()

    def _count_down_unsafe_start(self) -> None:
        if self.seconds_to_unsafe_start:
            self.seconds_to_unsafe_start -= 1
            if not self.seconds_to_unsafe_start and self.safe_mode:
                self._leave_safe_mode()

    def _count_down_restart(self, moment: float) -> None:
        if not self.seconds_to_restart:
            return
        self.seconds_to_restart -= 1
        if self.seconds_to_restart:
            return
        self.settings.save()
        if self.energy:
            self.energy.save(moment)
        raise _Restart

    def _stop(self, *, silently: bool = False) -> None:
        if not self.running:
            return
        self._serving = False
        self.mqtt.close(silently=silently)
        self._http.stop()
        self.end()

    def _web_password(self) -> str:
        if may_skip_password(self):
            return ""
        return self.settings.values.web_password

    def _on_channel(self, channel: int) -> None:
        if self._drivers.bridges:
            self._drivers.bridges.on_channel(channel)
        self.follow_relay()
        if self.pins.is_published(channel) or self.settings.has_flag(
            Flag.PUBLISH_ALL_CHANNELS
        ):
            self.mqtt.publish_channel(channel)
        self.console.fire_channel_change(channel)

    def _on_button(self, pin: int, event: ButtonEvent) -> None:
        if self.settings.has_flag(Flag.IGNORE_BUTTONS):
            return
        outer = self.work_on(self._buttons[pin].moment)
        try:
            if self.pins.role(pin) in _ALL_BUTTONS and event is _DOUBLE:
                # Before anybody gets to know of it (Button_OnDoubleClick, 1.18.300).
                self.pins.toggle_all()
                return
            self.console.fire(event, pin)
            self._act_on_button(pin, event)
        finally:
            self.work_on(outer)

    def _act_on_button(self, pin: int, event: ButtonEvent) -> None:
        role = self.pins.role(pin)
        instant = self.settings.has_flag(Flag.INSTANT_TOUCH)
        if event is _DOUBLE:
            if role in _TWO_CHANNEL_BUTTONS:
                self.pins.toggle(self.settings.values.channels2[pin])
            if self.uptime < _RESCUE_SECONDS:
                self.forget_network()
        elif event is (ButtonEvent.PRESS if instant else ButtonEvent.CLICK):
            if role in _ALL_BUTTONS:
                self.pins.toggle_all()
            elif role not in _SCRIPT_BUTTONS:
                self.pins.toggle(self.pins.channel(pin))

    async def _answer(self, request: Request) -> Answer | bytes:
        try:
            return await self._web.handle(request)
        except ConnectionAbortedError:
            raise
        except Exception as error:
            self.fail(error)
            raise ConnectionAbortedError from error
