"""The firmware's command line: what comes by MQTT, HTTP, start-up command and events."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from custom_components.openbk.pyopenbk.roles import role_from_name

from .buttons import ButtonEvent
from .device_clock import DstRule
from .energy import DAILY, LAST_HOUR
from .settings import CHANNEL_COUNT, PIN_COUNT
from .text import after_words, leading_float, leading_int, words

if TYPE_CHECKING:
    from .device import OpenBeken
    from .energy import EnergyDriver


class Result(Enum):
    """How a command ended: the HTTP status and the text of /api/cmnd."""

    OK = 200, "OK"
    EMPTY = 200, "No command entered"
    UNKNOWN = 501, "Unknown command"
    ERROR = 400, "Command found but returned error"
    NOT_ENOUGH_ARGUMENTS = 400, "Not enough arguments for this command"
    BAD_ARGUMENT = 400, "Bad argument"

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return self.value[0]

    @property
    def message(self) -> str:
        """Return the text."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class _Handler:
    event: str
    argument: int
    command: str


_ON_CHANNEL_CHANGE: Final = "OnChannelChange"
_EVENTS: Final = {name.casefold(): name for name in (*ButtonEvent, _ON_CHANNEL_CHANGE)}
# Answered by tasmota.reply alone.
_ASKED_ONLY: Final = frozenset({"status", "state", "ch"})
# Known to the firmware, of no consequence here.
_IGNORED: Final = frozenset({"echo", "powersave"})

type _Command = Callable[[str], Result]


class Console:
    """Looks commands up by name, whatever the case, and runs them."""

    def __init__(self, device: OpenBeken) -> None:
        """Register the commands that are always there."""
        self._device = device
        self._handlers: list[_Handler] = []
        self._commands: dict[str, _Command] = {
            **self._text_commands(),
            **self._pin_commands(),
            **self._mqtt_commands(),
            **self._system_commands(),
        }

    @property
    def handler_count(self) -> int:
        """Return how many event handlers there are."""
        return len(self._handlers)

    def execute(self, line: str) -> Result:
        """Run one line: a command and its arguments."""
        command, _, arguments = line.strip().partition(" ")
        return self.execute_arguments(command, arguments.strip())

    def execute_arguments(self, command: str, arguments: str) -> Result:
        """Run a command whose arguments are given apart."""
        name = command.casefold()
        if not name:
            return Result.EMPTY
        if name == "backlog":
            for line in arguments.split(";"):
                self.execute(line)
            return Result.OK
        if known := self._commands.get(name):
            return known(arguments)
        if name.startswith("power") and (name[5:].isdigit() or name == "power"):
            return self._power(name[5:], arguments)
        if name in _ASKED_ONLY or name in _IGNORED:
            return Result.OK
        return Result.UNKNOWN

    def fire(self, event: str, argument: int) -> None:
        """Run the handlers of an event."""
        for handler in list(self._handlers):
            if (handler.event, handler.argument) == (event, argument):
                self.execute(handler.command)

    def fire_channel_change(self, channel: int) -> None:
        """Run the handlers that wait for a channel to change."""
        self.fire(_ON_CHANNEL_CHANGE, channel)

    def add_meter_commands(self, energy: EnergyDriver) -> None:
        """Register the commands that come with the BL0937 driver."""

        def calibrate(index: int) -> _Command:
            def command(arguments: str) -> Result:
                true = leading_float(arguments)
                if not true:
                    return Result.NOT_ENOUGH_ARGUMENTS
                return Result.OK if energy.calibrate(index, true) else Result.ERROR

            return command

        def power_max(arguments: str) -> Result:
            energy.set_power_max(leading_float(arguments))
            return Result.OK

        def reset(arguments: str) -> Result:
            total = leading_float(arguments) if arguments else None
            energy.reset(total, self._device.moment)
            return Result.OK

        def save_threshold(arguments: str) -> Result:
            energy.save_threshold = min(max(leading_float(arguments), 1), 5000)
            return Result.OK

        self._commands |= {
            "voltageset": calibrate(0),
            "currentset": calibrate(1),
            "powerset": calibrate(2),
            "powermax": _needing(1, power_max),
            "energycntreset": reset,
            "consumptionthreshold": _needing(1, save_threshold),
            "setupenergystats": _needing(3, self._set_up_statistics(energy)),
            "vcppublishintervals": _needing(2, _publish_intervals(energy)),
            "vcppublishthreshold": _needing(3, _publish_threshold(energy)),
            "vcpprecision": _needing(1, _precision(energy)),
        }

    def _set_up_statistics(self, energy: EnergyDriver) -> _Command:
        def command(arguments: str) -> Result:
            enable, interval, count, *rest = map(leading_int, words(arguments))
            if enable:
                energy.set_up_statistics(
                    interval,
                    count,
                    as_json=bool(rest and rest[0]),
                    now=self._device.moment,
                )
            else:
                energy.stop_statistics()
            return Result.OK

        return command

    def _text_commands(self) -> dict[str, _Command]:
        def setter(field: str, *, mqtt: bool = False) -> _Command:
            def command(arguments: str) -> Result:
                text = arguments.strip('"')
                if self._device.settings.change(**{field: text}) and mqtt:
                    self._device.mqtt.reconnect_soon()
                return Result.OK

            return _needing(1, command)

        return {
            "ssid1": setter("wifi_ssid"),
            "password1": setter("wifi_password"),
            "mqtthost": setter("mqtt_host", mqtt=True),
            "mqttuser": setter("mqtt_username", mqtt=True),
            "mqttpassword": setter("mqtt_password", mqtt=True),
            "mqttclient": setter("mqtt_client_id", mqtt=True),
            "mqttgroup": setter("mqtt_group", mqtt=True),
            "shortname": setter("short_name"),
            "friendlyname": setter("long_name"),
            "ntp_setserver": setter("ntp_server"),
            "pinghost": setter("ping_host"),
            "pinginterval": _needing(1, self._set_ping_interval),
            "startupcommand": _needing(1, self._set_startup_command),
        }

    def _set_startup_command(self, arguments: str) -> Result:
        command, *rest = words(arguments)
        self._device.settings.change(startup_command=command)
        if rest and leading_int(rest[0]):
            self.execute(command)
        return Result.OK

    def _set_ping_interval(self, arguments: str) -> Result:
        self._device.settings.change(ping_interval=leading_int(arguments))
        return Result.OK

    def _pin_commands(self) -> dict[str, _Command]:
        return {
            "setpinrole": _needing(2, self._set_pin_role),
            "setpinchannel": _needing(2, self._set_pin_channel),
            "setstartvalue": _needing(2, self._set_start_value),
            "setchannel": _needing(2, self._set_channel),
            "addchannel": _needing(2, self._add_channel),
            "togglechannel": _needing(1, self._toggle_channel),
            "getchannel": _needing(1, lambda _: Result.OK),
            "setflag": _needing(2, self._set_flag),
            "flags": self._set_flags,
            "setbuttontimes": _needing(3, self._set_button_times),
            "addeventhandler": _needing(3, self._add_event_handler),
            "clearallhandlers": self._clear_handlers,
        }

    def _set_pin_role(self, arguments: str) -> Result:
        pin_text, role_text = words(arguments)[:2]
        pin = leading_int(pin_text)
        if role_text.isdigit():
            number = int(role_text)
        elif (role := role_from_name(role_text)) is not None:
            number = int(role)
        else:
            return Result.BAD_ARGUMENT
        if not 0 <= pin < PIN_COUNT or number > 0xFF:
            return Result.BAD_ARGUMENT
        self._device.settings.change_entry("roles", pin, number)
        self._device.follow_relay()
        return Result.OK

    def _set_pin_channel(self, arguments: str) -> Result:
        pin, channel, *second = map(leading_int, words(arguments))
        if not 0 <= pin < PIN_COUNT or not 0 <= channel < CHANNEL_COUNT:
            return Result.BAD_ARGUMENT
        self._device.settings.change_entry("channels", pin, channel)
        if second and 0 <= second[0] < CHANNEL_COUNT:
            self._device.settings.change_entry("channels2", pin, second[0])
        self._device.follow_relay()
        return Result.OK

    def _set_start_value(self, arguments: str) -> Result:
        channel, value = map(leading_int, words(arguments)[:2])
        if not 0 <= channel < CHANNEL_COUNT:
            return Result.BAD_ARGUMENT
        self._device.settings.change_entry("start_values", channel, value)
        if value == -1:
            self._device.remember_channel(channel)
        return Result.OK

    def _set_channel(self, arguments: str) -> Result:
        channel, value = map(leading_int, words(arguments)[:2])
        self._device.pins.set(channel, value)
        return Result.OK

    def _add_channel(self, arguments: str) -> Result:
        channel, value = map(leading_int, words(arguments)[:2])
        self._device.pins.set(channel, self._device.channel(channel) + value)
        return Result.OK

    def _toggle_channel(self, arguments: str) -> Result:
        self._device.pins.toggle(leading_int(arguments))
        return Result.OK

    def _set_flag(self, arguments: str) -> Result:
        flag, on = map(leading_int, words(arguments)[:2])
        if not 0 <= flag < 64:
            return Result.BAD_ARGUMENT
        self._device.settings.set_flag(flag, bool(on))
        return Result.OK

    def _set_flags(self, arguments: str) -> Result:
        if arguments:
            flags = leading_int(arguments) & 0xFFFFFFFFFFFFFFFF
            self._device.settings.change(flags=flags)
        return Result.OK

    def _set_button_times(self, arguments: str) -> Result:
        long, short, repeat = map(leading_int, words(arguments)[:3])
        times = tuple(value & 0xFF for value in (short, long, repeat))
        self._device.settings.change(button_times=times)
        return Result.OK

    def _add_event_handler(self, arguments: str) -> Result:
        event, argument, *_ = words(arguments)
        if (name := _EVENTS.get(event.casefold())) is None:
            return Result.BAD_ARGUMENT
        command = after_words(arguments, 2).strip('"')
        self._handlers.append(_Handler(name, leading_int(argument), command))
        return Result.OK

    def _clear_handlers(self, _arguments: str) -> Result:
        self._handlers.clear()
        return Result.OK

    def _power(self, index: str, argument: str) -> Result:
        pins = self._device.pins
        channels = pins.power_channels()
        if not argument or not channels:
            return Result.OK
        channel = min(channels)
        if index:
            channel = int(index) - (1 if 0 in pins.relay_channels() else 0)
        if channel not in channels:
            return Result.OK
        word = argument.strip().casefold()
        if word in ("toggle", "2"):
            pins.toggle(channel)
        else:
            pins.set(channel, 1 if word == "on" else leading_int(word))
        return Result.OK

    def _mqtt_commands(self) -> dict[str, _Command]:
        def run(action: Callable[[], object]) -> _Command:
            def command(_arguments: str) -> Result:
                action()
                return Result.OK

            return command

        def number(apply: Callable[[int], object]) -> _Command:
            def command(arguments: str) -> Result:
                apply(leading_int(arguments))
                return Result.OK

            return _needing(1, command)

        mqtt = self._device.mqtt
        return {
            "publish": _needing(2, self._publish),
            "publishint": _needing(2, self._publish_integer),
            "publishfloat": _needing(2, self._publish_float),
            "publishall": run(mqtt.publish_all),
            "publishchannels": run(mqtt.publish_channels),
            "publishchannel": number(mqtt.publish_channel),
            "schedulehadiscovery": number(mqtt.schedule_discovery),
            "mqtt_broadcastinterval": number(
                lambda value: setattr(mqtt, "broadcast_interval", value)
            ),
            "mqtt_broadcastitemspersec": number(
                lambda value: setattr(mqtt, "items_per_second", value)
            ),
            "tasteleinterval": _needing(2, self._set_tele_intervals),
        }

    def _publish(self, arguments: str) -> Result:
        topic, text, *rest = words(arguments)
        return self._publish_text(topic, text, rest)

    def _publish_integer(self, arguments: str) -> Result:
        topic, text, *rest = words(arguments)
        return self._publish_text(topic, f"{leading_int(text)}", rest)

    def _publish_float(self, arguments: str) -> Result:
        topic, text, *rest = words(arguments)
        return self._publish_text(topic, f"{leading_float(text):f}", rest)

    def _publish_text(self, topic: str, text: str, rest: list[str]) -> Result:
        if rest and leading_int(rest[0]):
            self._device.mqtt.publish_raw(topic, text)
        else:
            self._device.mqtt.publish(topic, text)
        return Result.OK

    def _set_tele_intervals(self, arguments: str) -> Result:
        sensor, state = map(leading_int, words(arguments)[:2])
        self._device.mqtt.tele_intervals = (sensor, state)
        return Result.OK

    def _system_commands(self) -> dict[str, _Command]:
        device = self._device

        def restart(arguments: str) -> Result:
            device.restart_in(leading_int(arguments) or 3)
            return Result.OK

        def full_boot_time(arguments: str) -> Result:
            device.settings.change(boot_success_seconds=leading_int(arguments) & 0xFF)
            return Result.OK

        def safe_mode(arguments: str) -> Result:
            device.restart_into_safe_mode(leading_int(arguments) or 3)
            return Result.OK

        def open_access_point(_arguments: str) -> Result:
            device.open_access_point()
            return Result.OK

        def clear_config(_arguments: str) -> Result:
            device.settings.reset()
            return Result.OK

        def ota(arguments: str) -> Result:
            device.fetch_firmware(arguments.strip())
            return Result.OK

        return {
            "restart": restart,
            "reboot": restart,
            "fullboottime": _needing(1, full_boot_time),
            "safemode": safe_mode,
            "openap": open_access_point,
            "clearconfig": clear_config,
            "clearall": clear_config,
            "ota_http": _needing(1, ota),
            "startdriver": _needing(1, self._start_driver),
            "stopdriver": _needing(1, self._stop_driver),
            "ntp_timezoneofs": _needing(1, self._set_time_zone),
            "time_settz": _needing(1, self._set_time_zone),
            "time_settime": _needing(1, self._set_time),
            "time_setdst": _needing(10, self._set_dst),
            "time_calcdst": _needing(8, self._calculate_dst),
            "clock_calcdst": _needing(8, self._calculate_dst),
        }

    def _start_driver(self, arguments: str) -> Result:
        self._device.start_driver(words(arguments)[0].upper())
        return Result.OK

    def _stop_driver(self, arguments: str) -> Result:
        self._device.stop_driver(words(arguments)[0].upper())
        return Result.OK

    def _set_time_zone(self, arguments: str) -> Result:
        hours, _, minutes = words(arguments)[0].partition(":")
        seconds = abs(leading_int(hours)) * 3600 + leading_int(minutes) * 60
        negative = hours.lstrip().startswith("-")
        self._device.device_clock.zone_seconds = -seconds if negative else seconds
        return Result.OK

    def _set_time(self, arguments: str) -> Result:
        self._device.device_clock.set_time(leading_int(arguments))
        return Result.OK

    def _set_dst(self, arguments: str) -> Result:
        numbers = [leading_int(word) for word in words(arguments)]
        return self._apply_dst(numbers[:5], numbers[5:10])

    def _calculate_dst(self, arguments: str) -> Result:
        # End before start, and hours instead of minutes: the older command.
        numbers = [leading_int(word) for word in words(arguments)]
        hours = numbers[8] if len(numbers) > 8 else 1
        return self._apply_dst([*numbers[4:8], hours * 60], [*numbers[:4], 0])

    def _apply_dst(self, first: list[int], second: list[int]) -> Result:
        rules = DstRule(*first), DstRule(*second)
        if not all(
            1 <= rule.month <= 12
            and 1 <= rule.weekday <= 7
            and 0 <= rule.week <= 4
            and 0 <= rule.hour <= 23
            for rule in rules
        ):
            return Result.BAD_ARGUMENT
        self._device.device_clock.dst = rules
        return Result.OK


def _needing(count: int, command: _Command) -> _Command:
    def checked(arguments: str) -> Result:
        if len(words(arguments)) < count:
            return Result.NOT_ENOUGH_ARGUMENTS
        return command(arguments)

    return checked


def _publish_intervals(energy: EnergyDriver) -> _Command:
    def command(arguments: str) -> Result:
        quiet, forced = map(leading_int, words(arguments)[:2])
        energy.quiet_evaluations, energy.forced_evaluations = quiet, forced
        return Result.OK

    return command


def _publish_threshold(energy: EnergyDriver) -> _Command:
    def command(arguments: str) -> Result:
        volts, amperes, watts, *rest = map(leading_float, words(arguments))
        thresholds = {
            "voltage": volts,
            "current": amperes,
            "power": watts,
            "power_apparent": watts,
            "power_reactive": watts,
        }
        if rest:
            # The total is not among them.
            thresholds |= dict.fromkeys((LAST_HOUR, *DAILY), rest[0])
        for topic, threshold in thresholds.items():
            if topic in energy.sensors:
                energy.sensors[topic].threshold = threshold
        return Result.OK

    return command


def _precision(energy: EnergyDriver) -> _Command:
    topics = (
        ("voltage",),
        ("current",),
        ("power", "power_apparent", "power_reactive"),
        ("energycounter", LAST_HOUR, *DAILY),
    )

    def command(arguments: str) -> Result:
        given = map(leading_int, words(arguments))
        for row, decimals in zip(topics, given, strict=False):
            for topic in row:
                if topic in energy.sensors:
                    energy.sensors[topic].decimals = decimals
        return Result.OK

    return command
