"""The firmware's command line: what comes by MQTT, HTTP, start-up command and events."""

from collections.abc import Callable, Mapping
from enum import Enum
import re
from typing import Final

from custom_components.openbk.pyopenbk.roles import role_from_name

from .arguments import BLANKS, Arguments, leading_word
from .events import CHANNEL_CHANGE, Handler, Handlers, event_code, is_relation
from .expressions import Constants
from .names import CHANNEL_TYPES
from .scripts import Scripts
from .settings import CHANNEL_COUNT, Settings
from .state import SAFE_MODE_AFTER, DeviceState
from .text import cut, decode, encode, leading_int


class Result(Enum):
    """How a command ended: the HTTP status and the text of /api/cmnd."""

    OK = 200, "OK"
    EMPTY = 400, "No command entered"
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


type Command = Callable[[Arguments], Result]

# Bytes of a command in a backlog, and of a command's name.
_PART: Final = 127
# Bytes of what follows a command, and of what echo makes of them.
_LINE: Final = 511
_ECHO_ROOM: Final = 1279
_DIGIT: Final = re.compile("[0-9]")
_NAME_WITHOUT_DIGITS: Final = 31
_DELAYS: Final = re.compile("delay_ms|delay_s|waitfor", re.IGNORECASE)
_REPEATED_ID: Final = 255
_INTEGER: Final = re.compile(r"\s*([+-]?\d+)", re.ASCII)
# Known to the firmware, of no consequence here.
_IGNORED: Final = (
    "state", "result", "powersave", "loglevel", "logfeature",
    "logtype", "logdelay", "setchannelvisible", "setchannelprivate",
    "setpinrolenames", "pwmfrequency", "indexrefreshinterval", "clearnopingtime",
)  # fmt: skip


class Console:
    """Looks commands up by name, whatever the case, and runs them.

    A name that is not known is tried once more without its digits and what follows them,
    so POWER3 is POWER. Source: cmd_main.c and cmd_tasmota.c of OpenBeken 1.18.300.
    """

    def __init__(self, device: DeviceState) -> None:
        """Begin with the commands that are always there."""
        self._device = device
        self.constants = Constants(device)
        self.handlers = Handlers(lambda: device.pins.values)
        self.scripts = Scripts(device, self.execute)
        self.echoed = ""
        """What ``echo`` was last told to say."""
        self._commands: dict[str, Command] = {
            **dict.fromkeys(_IGNORED, lambda _: Result.OK),
            **self._questions(),
            **self._text_commands(),
            **self._pin_commands(),
            **self._channel_commands(),
            **self._flow_commands(),
            **self._script_commands(),
            **self._event_commands(),
            **self._system_commands(),
        }

    def _questions(self) -> dict[str, Command]:
        """Return the commands for answers that are given whether these are known or not."""
        if not self._device.release.has_status_command:
            return {}
        return dict.fromkeys(("sensor", "status"), lambda _: Result.OK)

    def register(self, commands: Mapping[str, Command]) -> None:
        """Add the commands of another part, by their names in lower case."""
        self._commands |= commands

    @property
    def handler_count(self) -> int:
        """Return how many event handlers there are."""
        return len(self.handlers)

    def execute(self, line: str) -> Result:
        """Run one line: a command and its arguments."""
        line = line.partition("\0")[0].lstrip(BLANKS)
        if not line:
            return Result.EMPTY
        name, arguments = leading_word(line)
        if (short_name := cut(name, _PART)) != name:
            # What does not fit into the name counts as the first argument.
            arguments = decode(encode(line)[_PART:])
        return self.execute_arguments(short_name, arguments)

    def execute_arguments(self, command: str, arguments: str) -> Result:
        """Run a command whose arguments are given apart."""
        if self._device.safe_mode:
            # Commands are registered by what safe mode leaves out.
            return Result.UNKNOWN
        known = self._commands.get(command.casefold())
        if known is None:
            stem = cut(_DIGIT.split(command, maxsplit=1)[0], _NAME_WITHOUT_DIGITS)
            known = self._commands.get(stem.casefold())
        if known is None:
            self._complain(f"cmd {command} NOT found (args {arguments})")
            return Result.UNKNOWN
        return known(
            Arguments(
                arguments, self.constants, command=command, complain=self._complain
            )
        )

    def _complain(self, text: str) -> None:
        self._device.log("CMD", text, "Error")

    def run_start_up(self) -> None:
        """Run the start-up command."""
        self.scripts.run_start_up(self._device.settings.values.startup_command)

    def fire(self, event: str, argument: int) -> None:
        """Run the handlers of an event."""
        if (code := event_code(event)) is not None:
            self._fire(code, argument)

    def fire_channel_change(self, channel: int) -> None:
        """Run the handlers that wait for a channel to change."""
        self._fire(CHANNEL_CHANGE, channel)
        for command in self.handlers.of_changed_channel(channel):
            self.execute(command)

    def _fire(self, code: int, argument: int) -> None:
        for command in self.handlers.of_event(code, argument):
            self.execute(command)
        self.scripts.note_event(code, argument)

    # Texts of the configuration

    def _text_commands(self) -> dict[str, Command]:
        settings = self._device.settings
        ping = {
            "pinghost": needing(1, self._set_ping_host),
            "pinginterval": needing(1, self._set_ping_interval),
        }
        return {
            **(ping if self._device.release.has_ping_commands else {}),
            "ssid1": setter(settings, "wifi_ssid"),
            "password1": setter(settings, "wifi_password"),
            "shortname": self._naming("short_name", "Name"),
            "friendlyname": self._naming("long_name", "FriendlyName"),
            "startupcommand": needing(1, self._set_startup_command, quotes=True),
        }

    def _naming(self, field: str, label: str) -> Command:
        """Return a command that says a name, or sets one that is given."""

        def command(arguments: Arguments) -> Result:
            arguments = arguments.with_quotes()
            if len(arguments):
                self._device.settings.change(**{field: arguments.word(0)})
            else:
                name = getattr(self._device.settings.values, field)
                self._device.log("CMD", f"{label} is {name}")
            return Result.OK

        return command

    def _set_ping_host(self, arguments: Arguments) -> Result:
        self._device.settings.change(ping_host=arguments.word(0))
        return Result.OK

    def _set_ping_interval(self, arguments: Arguments) -> Result:
        self._device.settings.change(ping_interval=arguments.integer(0))
        return Result.OK

    def _set_startup_command(self, arguments: Arguments) -> Result:
        command = arguments.word(0)
        self._device.settings.change(startup_command=command)
        if arguments.integer(1) == 1:
            # As one command, not as the script that it is at boot.
            self.execute(command)
        return Result.OK

    # Pins

    def _pin_commands(self) -> dict[str, Command]:
        return {
            "setpinrole": needing(2, self._set_pin_role),
            "setpinchannel": needing(2, self._set_pin_channel),
            "setstartvalue": needing(2, self._set_start_value),
            "setflag": needing(2, self._set_flag),
            "flags": self._set_flags,
            "setbuttontimes": needing(3, self._set_button_times),
        }

    def _set_pin_role(self, arguments: Arguments) -> Result:
        if not arguments.is_integer(0):
            return Result.BAD_ARGUMENT
        pin, name = arguments.integer(0), arguments.word(1)
        # Only names count, for a number, too.
        if (role := role_from_name(name)) is None:
            return Result.BAD_ARGUMENT
        if 0 <= pin < self._device.settings.pin_count:
            self._device.pins.set_role(pin, int(role))
            self._device.follow_relay()
        return Result.OK

    def _set_pin_channel(self, arguments: Arguments) -> Result:
        pin, channel = arguments.integer(0), arguments.integer(1)
        if 0 <= pin < self._device.settings.pin_count:
            if len(arguments) > 2:
                second = arguments.integer(2) & 0xFF
                self._device.settings.change_entry("channels2", pin, second)
            if 0 <= channel < CHANNEL_COUNT:
                self._device.settings.change_entry("channels", pin, channel)
        return Result.OK

    def _set_start_value(self, arguments: Arguments) -> Result:
        # Unlike the page it does not save the state that the channel has now.
        channel, value = arguments.integer(0), _short(arguments.integer(1))
        if 0 <= channel < CHANNEL_COUNT:
            self._device.settings.change_entry("start_values", channel, value)
        return Result.OK

    def _set_flag(self, arguments: Arguments) -> Result:
        flag, on = arguments.integer(0), arguments.integer(1)
        # Others shift by more bits than a word has, which comes to nothing on the chip.
        if 0 <= flag < 64:
            self._device.settings.set_flag(flag, bool(on))
        return Result.OK

    def _set_flags(self, arguments: Arguments) -> Result:
        if not arguments.text:
            return Result.NOT_ENOUGH_ARGUMENTS
        if not (match := _INTEGER.match(arguments.text)):
            return Result.BAD_ARGUMENT
        self._device.settings.change(flags=int(match[1]) & 0xFFFFFFFFFFFFFFFF)
        return Result.OK

    def _set_button_times(self, arguments: Arguments) -> Result:
        long, short_, repeat = (arguments.integer(index) & 0xFF for index in range(3))
        self._device.settings.change(button_times=(short_, long, repeat))
        self._device.settings.save()
        return Result.OK

    # Channels

    def _channel_commands(self) -> dict[str, Command]:
        return {
            "setchannel": needing(2, self._set_channel),
            "addchannel": needing(2, self._add_channel),
            "togglechannel": needing(1, self._toggle_channel),
            "setchanneltype": needing(2, self._set_channel_type),
            "setchannellabel": needing(2, self._set_channel_label, quotes=True),
            "getchannel": needing(1, self._get_channel),
            "ch": needing(1, self._set_numbered_channel),
            "power": self._power,
            "powerall": self._power_all,
        }

    def _set_channel(self, arguments: Arguments) -> Result:
        self._device.pins.set(arguments.integer(0), arguments.integer(1))
        return Result.OK

    def _add_channel(self, arguments: Arguments) -> Result:
        channel, change, *limits = arguments.integers()
        value = self._device.channel(channel) + change
        if len(limits) >= 2:
            least, most, *wraps = limits
            if wraps and wraps[0]:
                value = least if value > most else most if value < least else value
            else:
                value = max(min(value, most), least)
        self._device.pins.set(channel, value)
        return Result.OK

    def _toggle_channel(self, arguments: Arguments) -> Result:
        self._device.pins.toggle(arguments.integer(0))
        return Result.OK

    def _set_channel_label(self, arguments: Arguments) -> Result:
        channel = arguments.integer(0)
        if 0 <= channel < CHANNEL_COUNT:
            hides = len(arguments) < 3 or bool(arguments.integer(2))
            self._device.labels[channel] = (arguments.word(1), hides)
        return Result.OK

    def _set_channel_type(self, arguments: Arguments) -> Result:
        channel, name = arguments.integer(0), arguments.word(1).casefold()
        names = [kind.casefold() for kind in CHANNEL_TYPES]
        # "Error" is in the list, but stands for none (CHANNEL_ParseChannelType).
        if name not in names or name == "error":
            return Result.BAD_ARGUMENT
        if 0 <= channel < CHANNEL_COUNT:
            kind = names.index(name)
            self._device.settings.change_entry("channel_types", channel, kind)
        return Result.OK

    def _get_channel(self, arguments: Arguments) -> Result:
        channel = arguments.integer(0)
        value = self._device.channel(channel)
        self._device.log("CMD", f"Channel {channel} is {value}")
        return Result.OK

    def _set_numbered_channel(self, arguments: Arguments) -> Result:
        channel = leading_int(arguments.command[2:])
        self._device.pins.set(channel, arguments.integer(0))
        return Result.OK

    def _power(self, arguments: Arguments) -> Result:
        """Switch a channel: any channel, whether a relay has it or not."""
        pins, text = self._device.pins, arguments.text.casefold()
        first = 1 if 0 in pins.relay_channels() else 0
        if len(arguments.command) > len("power"):
            channel = max(leading_int(arguments.command[len("power") :]) - first, 0)
        else:
            channel = min(pins.power_channels(), default=0)
        if text == "toggle":
            pins.toggle(channel)
        elif text and text != "status":
            pins.set(channel, _power_value(text))
        return Result.OK

    def _power_all(self, arguments: Arguments) -> Result:
        for channel in self._device.pins.power_channels():
            self._device.pins.set(channel, _power_value(arguments.text.casefold()))
        return Result.OK

    # Several commands in one

    def _flow_commands(self) -> dict[str, Command]:
        return {
            "backlog": self._backlog,
            "alias": needing(2, self._alias),
            "if": needing(3, self._if, quotes=True),
            "choice": needing(2, self._choice, quotes=True),
            "echo": self._echo,
        }

    def _backlog(self, arguments: Arguments) -> Result:
        """Run commands that semicolons separate, in quotes too; the last failure counts."""
        if _DELAYS.search(arguments.text):
            self.scripts.start_backlog(arguments.text)
            return Result.OK
        result = Result.OK
        for part in arguments.text.split(";"):
            outcome = self.execute(cut(part, _PART))
            if outcome not in (Result.OK, Result.EMPTY):
                result = outcome
        return result

    def _alias(self, arguments: Arguments) -> Result:
        name = arguments.word(0).casefold()
        if name in self._commands:
            return Result.BAD_ARGUMENT
        _, command = leading_word(arguments.text.lstrip(BLANKS))

        def run(given: Arguments) -> Result:
            if given.text:
                return self.execute_arguments(command, given.text)
            return self.execute(command)

        self._commands[name] = run
        self._device.log(
            "CMD", f"New alias has been set: {arguments.word(0)} runs {command}"
        )
        return Result.OK

    def _if(self, arguments: Arguments) -> Result:
        words = [arguments.raw(index) for index in range(len(arguments))]
        if words[1].casefold() != "then":
            return Result.BAD_ARGUMENT
        command, otherwise = arguments.after(2), ""
        if "else" in map(str.casefold, words[2:]):
            if words[3:4] and words[3].casefold() != "else":
                return Result.BAD_ARGUMENT
            command, otherwise = words[2], words[4] if len(words) > 4 else ""
        chosen = command if self.constants.evaluate(words[0]) else otherwise
        self.execute(chosen)
        return Result.OK

    def _choice(self, arguments: Arguments) -> Result:
        self.execute(arguments.word(1 + arguments.integer(0)))
        return Result.OK

    def _echo(self, arguments: Arguments) -> Result:
        self.echoed = self.constants.put_into(
            cut(arguments.text.lstrip(BLANKS), _LINE), _ECHO_ROOM
        )
        self._device.log("CMD", self.echoed)
        return Result.OK

    # Scripts

    def _script_commands(self) -> dict[str, Command]:
        scripts = self.scripts

        def in_script(action: Callable[[Arguments], object], needs: int = 0) -> Command:
            def command(arguments: Arguments) -> Result:
                if not scripts.in_script:
                    return Result.ERROR
                action(arguments)
                return Result.OK

            return needing(needs, command)

        def stop_all(_arguments: Arguments) -> Result:
            scripts.stop_all()
            return Result.OK

        def clear_repeated(_arguments: Arguments) -> Result:
            scripts.clear_repeated()
            return Result.OK

        def cancel_repeated(arguments: Arguments) -> Result:
            scripts.cancel(arguments.integer(0))
            return Result.OK

        return {
            "delay_s": in_script(lambda given: scripts.delay(given.number(0)), 1),
            "delay_ms": in_script(
                lambda given: scripts.delay(given.integer(0) / 1000), 1
            ),
            "goto": in_script(lambda given: scripts.go_to(given.word(0)), 1),
            "return": in_script(lambda _: scripts.leave()),
            "waitfor": needing(2, self._wait_for),
            "stopallscripts": stop_all,
            "resetsvm": stop_all,
            "addrepeatingevent": needing(2, self._repeat),
            "addrepeatingeventid": needing(2, self._repeat),
            "addrepeatingeventuid": needing(2, self._repeat),
            "clearrepeatingevents": clear_repeated,
            "cancelrepeatingevent": needing(1, cancel_repeated),
        }

    def _wait_for(self, arguments: Arguments) -> Result:
        if not self.scripts.in_script:
            return Result.ERROR
        if (code := event_code(arguments.word(0))) is None:
            return Result.BAD_ARGUMENT
        relation = arguments.word(1)[:1]
        has_relation = relation in ("<", ">", "!")
        wanted = leading_int(arguments.word(2 if has_relation else 1))
        self.scripts.wait_for(code, relation, wanted)
        return Result.OK

    def _repeat(self, arguments: Arguments) -> Result:
        interval, times = arguments.number(0), arguments.integer(1)
        numbered = arguments.command.casefold().removeprefix("addrepeatingevent")
        number, place = _REPEATED_ID, 2
        if numbered in ("id", "uid"):
            number, place = arguments.integer(2), 3
        if numbered == "uid":
            self.scripts.cancel(number)
        command = arguments.after(place)
        self._device.log(
            "CMD",
            f"addRepeatingEvent: interval {interval:f}, repeats {times}, command [{command}]",
        )
        self.scripts.repeat(command, interval, times, number)
        return Result.OK

    # Events

    def _event_commands(self) -> dict[str, Command]:
        return {
            "addeventhandler": needing(3, self._add_event_handler),
            "addchangehandler": needing(4, self._add_change_handler),
            "clearallhandlers": self._clear_handlers,
            "listeventhandlers": self._list_handlers,
        }

    def _add_event_handler(self, arguments: Arguments) -> Result:
        if (code := event_code(arguments.word(0))) is None:
            self._device.log(
                "EVENT", f"{arguments.word(0)} is not a valid event", "Error"
            )
            return Result.BAD_ARGUMENT
        argument = arguments.integer(1) if arguments.is_integer(1) else 0
        self.handlers.add(Handler(code, argument, arguments.after(2)))
        return Result.OK

    def _add_change_handler(self, arguments: Arguments) -> Result:
        code, relation = event_code(arguments.word(0)), arguments.word(1)
        if code is None or not is_relation(relation):
            return Result.BAD_ARGUMENT
        self.handlers.add(
            Handler(code, arguments.integer(2), arguments.after(3), relation)
        )
        return Result.OK

    def _clear_handlers(self, _arguments: Arguments) -> Result:
        self.handlers.clear()
        return Result.OK

    def _list_handlers(self, _arguments: Arguments) -> Result:
        for number, handler in enumerate(self.handlers):
            self._device.log(
                "EVENT",
                f"Event {number} has code {handler.code} and command {handler.command}",
            )
        return Result.OK

    # The socket itself

    def _system_commands(self) -> dict[str, Command]:
        device = self._device

        def restart(arguments: Arguments) -> Result:
            device.restart_in(leading_int(arguments.text) if arguments.text else 3)
            return Result.OK

        def full_boot_time(arguments: Arguments) -> Result:
            seconds = max(arguments.integer(0), 1) & 0xFF
            device.settings.change(boot_success_seconds=seconds)
            return Result.OK

        def safe_mode(arguments: Arguments) -> Result:
            device.variables.pretend_boots(SAFE_MODE_AFTER + 1)
            device.restart_in(max(1, arguments.integer(0, default=1)))
            return Result.OK

        def open_access_point(_arguments: Arguments) -> Result:
            device.wifi.open_access_point()
            return Result.OK

        def clear_config(_arguments: Arguments) -> Result:
            device.settings.reset()
            device.settings.save()
            return Result.OK

        def clear_all(arguments: Arguments) -> Result:
            clear_config(arguments)
            self.handlers.clear()
            self.scripts.clear_repeated()
            self.scripts.stop_all()
            for channel in range(CHANNEL_COUNT):
                device.pins.set(channel, 0)
            return Result.OK

        def ota(arguments: Arguments) -> Result:
            if not arguments.text:
                return Result.NOT_ENOUGH_ARGUMENTS
            device.fetch_firmware(arguments.text)
            return Result.OK

        return {
            "restart": restart,
            "reboot": restart,
            "fullboottime": needing(1, full_boot_time),
            "safemode": safe_mode,
            "openap": open_access_point,
            "clearconfig": clear_config,
            "clearall": clear_all,
            "ota_http": ota,
        }


def needing(count: int, command: Command, *, quotes: bool = False) -> Command:
    """Have a command refuse to run with fewer arguments, which quotes may keep together."""

    def checked(arguments: Arguments) -> Result:
        if quotes:
            arguments = arguments.with_quotes()
        if arguments.are_fewer_than(count):
            return Result.NOT_ENOUGH_ARGUMENTS
        return command(arguments)

    return checked


def setter(
    settings: Settings, field: str, changed: Callable[[], None] | None = None
) -> Command:
    """Return a command that sets a text to its first argument.

    ``changed()`` follows where the firmware notices that it is another one.
    """

    def command(arguments: Arguments) -> Result:
        if settings.change(**{field: arguments.word(0)}) and changed:
            changed()
        return Result.OK

    return needing(1, command, quotes=True)


def _short(value: int) -> int:
    """Return what is left of a number in 16 bits with a sign."""
    return (value + 0x8000) % 0x10000 - 0x8000


def _power_value(text: str) -> int:
    return {"on": 1, "off": 0}.get(text, leading_int(text))
