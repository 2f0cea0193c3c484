"""The firmware's command line: what comes by MQTT, HTTP, start-up command and events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from custom_components.openbk.pyopenbk.roles import role_from_name

from .buttons import ButtonEvent
from .settings import CHANNEL_COUNT, PIN_COUNT, Settings
from .state import SAFE_MODE_AFTER, DeviceState
from .text import after_words, leading_float, leading_int, words


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


class Arguments:
    """What follows a command, and how the firmware takes it apart."""

    def __init__(self, text: str) -> None:
        """Split a text at blanks."""
        self.text = text
        """All of it, as it came."""
        self._words = words(text)

    def __len__(self) -> int:
        """Return how many arguments there are."""
        return len(self._words)

    def word(self, index: int) -> str:
        """Return an argument; empty where there are not so many."""
        return self._words[index] if index < len(self._words) else ""

    def integer(self, index: int) -> int:
        """Return an argument as an integer; 0 where it is none."""
        return leading_int(self.word(index))

    def number(self, index: int) -> float:
        """Return an argument as a number; 0 where it is none."""
        return leading_float(self.word(index))

    def integers(self) -> list[int]:
        """Return all arguments as integers."""
        return [self.integer(index) for index in range(len(self))]

    def numbers(self) -> list[float]:
        """Return all arguments as numbers."""
        return [self.number(index) for index in range(len(self))]

    def after(self, count: int) -> str:
        """Return the text that follows the first ``count`` arguments."""
        return after_words(self.text, count)


type Command = Callable[[Arguments], Result]


class Console:
    """Looks commands up by name, whatever the case, and runs them."""

    def __init__(self, device: DeviceState) -> None:
        """Begin with the commands that are always there."""
        self._device = device
        self._handlers: list[_Handler] = []
        self._commands: dict[str, Command] = {
            **self._text_commands(),
            **self._pin_commands(),
            **self._system_commands(),
        }

    def register(self, commands: Mapping[str, Command]) -> None:
        """Add the commands of another part, by their names in lower case."""
        self._commands |= commands

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
        if self._device.safe_mode:
            # Commands are registered by what safe mode leaves out.
            return Result.UNKNOWN
        if name == "backlog":
            for line in arguments.split(";"):
                self.execute(line)
            return Result.OK
        if known := self._commands.get(name):
            return known(Arguments(arguments))
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

    def _text_commands(self) -> dict[str, Command]:
        settings = self._device.settings
        return {
            "ssid1": setter(settings, "wifi_ssid"),
            "password1": setter(settings, "wifi_password"),
            "shortname": setter(settings, "short_name"),
            "friendlyname": setter(settings, "long_name"),
            "ntp_setserver": setter(settings, "ntp_server"),
            "pinghost": setter(settings, "ping_host"),
            "pinginterval": needing(1, self._set_ping_interval),
            "startupcommand": needing(1, self._set_startup_command),
        }

    def _set_startup_command(self, arguments: Arguments) -> Result:
        command = arguments.word(0)
        self._device.settings.change(startup_command=command)
        if arguments.integer(1):
            self.execute(command)
        return Result.OK

    def _set_ping_interval(self, arguments: Arguments) -> Result:
        self._device.settings.change(ping_interval=arguments.integer(0))
        return Result.OK

    def _pin_commands(self) -> dict[str, Command]:
        return {
            "setpinrole": needing(2, self._set_pin_role),
            "setpinchannel": needing(2, self._set_pin_channel),
            "setstartvalue": needing(2, self._set_start_value),
            "setchannel": needing(2, self._set_channel),
            "addchannel": needing(2, self._add_channel),
            "togglechannel": needing(1, self._toggle_channel),
            "getchannel": needing(1, lambda _: Result.OK),
            "setflag": needing(2, self._set_flag),
            "flags": self._set_flags,
            "setbuttontimes": needing(3, self._set_button_times),
            "addeventhandler": needing(3, self._add_event_handler),
            "clearallhandlers": self._clear_handlers,
        }

    def _set_pin_role(self, arguments: Arguments) -> Result:
        pin, role_text = arguments.integer(0), arguments.word(1)
        if role_text.isdigit():
            number = int(role_text)
        elif (role := role_from_name(role_text)) is not None:
            number = int(role)
        else:
            return Result.BAD_ARGUMENT
        if not 0 <= pin < PIN_COUNT or number > 0xFF:
            return Result.BAD_ARGUMENT
        self._device.pins.set_role(pin, number)
        self._device.follow_relay()
        return Result.OK

    def _set_pin_channel(self, arguments: Arguments) -> Result:
        pin, channel, *second = arguments.integers()
        if not 0 <= pin < PIN_COUNT or not 0 <= channel < CHANNEL_COUNT:
            return Result.BAD_ARGUMENT
        self._device.settings.change_entry("channels", pin, channel)
        if second and 0 <= second[0] < CHANNEL_COUNT:
            self._device.settings.change_entry("channels2", pin, second[0])
        return Result.OK

    def _set_start_value(self, arguments: Arguments) -> Result:
        channel, value = arguments.integer(0), arguments.integer(1)
        if not 0 <= channel < CHANNEL_COUNT:
            return Result.BAD_ARGUMENT
        self._device.settings.change_entry("start_values", channel, value)
        return Result.OK

    def _set_channel(self, arguments: Arguments) -> Result:
        channel, value = arguments.integer(0), arguments.integer(1)
        self._device.pins.set(channel, value)
        return Result.OK

    def _add_channel(self, arguments: Arguments) -> Result:
        channel, value = arguments.integer(0), arguments.integer(1)
        self._device.pins.set(channel, self._device.channel(channel) + value)
        return Result.OK

    def _toggle_channel(self, arguments: Arguments) -> Result:
        self._device.pins.toggle(arguments.integer(0))
        return Result.OK

    def _set_flag(self, arguments: Arguments) -> Result:
        flag, on = arguments.integer(0), arguments.integer(1)
        if not 0 <= flag < 64:
            return Result.BAD_ARGUMENT
        self._device.settings.set_flag(flag, bool(on))
        return Result.OK

    def _set_flags(self, arguments: Arguments) -> Result:
        if arguments:
            flags = arguments.integer(0) & 0xFFFFFFFFFFFFFFFF
            self._device.settings.change(flags=flags)
        return Result.OK

    def _set_button_times(self, arguments: Arguments) -> Result:
        long, short, repeat = (arguments.integer(index) for index in range(3))
        times = tuple(value & 0xFF for value in (short, long, repeat))
        self._device.settings.change(button_times=times)
        return Result.OK

    def _add_event_handler(self, arguments: Arguments) -> Result:
        if (name := _EVENTS.get(arguments.word(0).casefold())) is None:
            return Result.BAD_ARGUMENT
        command = arguments.after(2).strip('"')
        self._handlers.append(_Handler(name, arguments.integer(1), command))
        return Result.OK

    def _clear_handlers(self, _arguments: Arguments) -> Result:
        self._handlers.clear()
        return Result.OK

    def _power(self, index: str, argument: str) -> Result:
        pins = self._device.pins
        channel = min(pins.power_channels(), default=0)
        if index:
            # Any channel, whether or not a relay has it.
            channel = max(0, int(index) - (1 if 0 in pins.relay_channels() else 0))
        word = argument.casefold()
        if word == "toggle":
            pins.toggle(channel)
        elif word not in ("", "status"):
            pins.set(channel, 1 if word == "on" else leading_int(word))
        return Result.OK

    def _system_commands(self) -> dict[str, Command]:
        device = self._device

        def restart(arguments: Arguments) -> Result:
            device.restart_in(arguments.integer(0) if arguments.text else 3)
            return Result.OK

        def full_boot_time(arguments: Arguments) -> Result:
            seconds = max(1, arguments.integer(0)) & 0xFF
            device.settings.change(boot_success_seconds=seconds)
            return Result.OK

        def safe_mode(arguments: Arguments) -> Result:
            device.variables.pretend_boots(SAFE_MODE_AFTER + 1)
            device.restart_in(max(1, arguments.integer(0)))
            return Result.OK

        def open_access_point(_arguments: Arguments) -> Result:
            device.wifi.open_access_point()
            return Result.OK

        def clear_config(_arguments: Arguments) -> Result:
            device.settings.reset()
            return Result.OK

        def ota(arguments: Arguments) -> Result:
            device.fetch_firmware(arguments.text.strip())
            return Result.OK

        return {
            "restart": restart,
            "reboot": restart,
            "fullboottime": needing(1, full_boot_time),
            "safemode": safe_mode,
            "openap": open_access_point,
            "clearconfig": clear_config,
            "clearall": clear_config,
            "ota_http": needing(1, ota),
        }


def needing(count: int, command: Command) -> Command:
    """Have a command refuse to run with fewer arguments."""

    def checked(arguments: Arguments) -> Result:
        if len(arguments) < count:
            return Result.NOT_ENOUGH_ARGUMENTS
        return command(arguments)

    return checked


def setter(
    settings: Settings, field: str, changed: Callable[[], None] | None = None
) -> Command:
    """Return a command that sets a text; ``changed()`` follows where it is another."""

    def command(arguments: Arguments) -> Result:
        text = arguments.text.strip('"')
        if settings.change(**{field: text}) and changed:
            changed()
        return Result.OK

    return needing(1, command)
