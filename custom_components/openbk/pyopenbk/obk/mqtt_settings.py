"""The MQTT page of a running socket: what it holds, and how all of it is changed without a loss.

Recorded from OpenBeken 1.18.299: the page ``/cfg_mqtt_set`` takes every text, but only in its address;
it clears a host that is not given and ignores all else that is empty, and the socket connects anew. The
commands take a login in a body, can clear one, and change nothing before the page is asked.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
import struct
from typing import Final
from urllib.parse import urlencode

from .commands import (
    Command,
    CommandError,
    CommandProblem,
    mqtt_password_command,
    mqtt_user_command,
)
from .config_sector import place_of
from .console import CommandRefusedError, Console, NotAnAnswerError
from .saving import Sleep, until_saved

# mqtt_host to mqtt_port, which follow each other, each text with its terminating zero.
_FIELDS: Final = struct.Struct("<256s64s64s128si")

# Bytes of UTF-8. The page copies each of its fields into a buffer of 128 bytes.
LONGEST_HOST: Final = 127
LONGEST_TOPIC: Final = 63
LONGEST_USERNAME: Final = 63
LONGEST_PASSWORD: Final = 127
_LONGEST: Final = {
    "host": LONGEST_HOST,
    "client_id": LONGEST_TOPIC,
    "group": LONGEST_TOPIC,
    "username": LONGEST_USERNAME,
    "password": LONGEST_PASSWORD,
}


class SettingsUnknownError(NotAnAnswerError):
    """This chip keeps them in a file, or in a place that differs between builds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """Where a socket reports and who it says that it is; the password never shows in a repr."""

    host: str
    port: int
    client_id: str
    group: str
    username: str = ""
    password: str = field(default="", repr=False)

    def check(self) -> None:
        """Raise CommandError, naming the field, for what the socket could not store."""
        for name, limit in _LONGEST.items():
            text: str = getattr(self, name)
            try:
                raw = text.encode()
            except UnicodeEncodeError as err:
                raise CommandError(name, CommandProblem.UNPRINTABLE) from err
            if len(raw) > limit:
                raise CommandError(name, CommandProblem.TOO_LONG, limit)
            if any(byte < 0x20 or byte == 0x7F for byte in raw):
                raise CommandError(name, CommandProblem.UNPRINTABLE)
        if not 0 < self.port < 1 << 16:
            raise CommandError("port", CommandProblem.OUT_OF_RANGE)

    @property
    def fills_a_field(self) -> bool:
        """Return whether a text is as long as its field, without its terminating zero."""
        return any(
            len(getattr(self, name).encode()) == limit
            for name, limit in _LONGEST.items()
            if name != "host"
        )


def needs_address(password: str) -> bool:
    """Return whether only an address of a page carries this password, and no command."""
    return bool(password) and _login_command(mqtt_password_command, password) is None


async def read(console: Console) -> MqttSettings:
    """Return what the socket holds, with its password, as saved up to a second ago.

    Raises ConsoleError, SettingsUnknownError where the chip is another. Like all that the web server says, it crosses the network in the clear.
    """
    fields = await console.read_config(*place_of("mqtt_host", "mqtt_port"))
    group = await console.read_config(*place_of("mqtt_group"))
    if fields is None or group is None:
        raise SettingsUnknownError("nobody knows where this chip keeps its settings")
    host, client_id, username, password, port = _FIELDS.unpack(fields)
    try:
        return MqttSettings(
            host=_text(host),
            port=port,
            client_id=_text(client_id),
            group=_text(group),
            username=_text(username),
            password=_text(password),
        )
    except UnicodeDecodeError as err:
        raise NotAnAnswerError("settings that are no text") from err


async def write(console: Console, settings: MqttSettings, sleep: Sleep) -> None:
    """Let the socket connect with these settings, all of them, and look whether it has them.

    What cannot be stored is for ``check``. Raises CommandRefusedError where the socket holds
    something else afterwards, and another ConsoleError where it fell silent.
    """
    if settings.fills_a_field:
        # The firmware does not notice that change, and saves it only with one that it notices.
        await console.command(mqtt_user_command("-", LONGEST_USERNAME))
    query = {
        "host": settings.host,
        "port": str(settings.port),
        "client": settings.client_id,
        "group": settings.group,
    }
    for name, build, text in (
        ("user", mqtt_user_command, settings.username),
        ("password", mqtt_password_command, settings.password),
    ):
        # In the body of a request where that can be, and an empty one only there.
        if (command := _login_command(build, text)) is None:
            query[name] = text
        else:
            await console.command(command)
    await console.request("GET", f"/cfg_mqtt_set?{urlencode(query)}")

    async def is_saved() -> bool:
        return await read(console) == settings

    # It saves just now, and connects anew.
    await sleep(1)
    if not await until_saved(is_saved, sleep):
        raise CommandRefusedError("cfg_mqtt_set", unknown=False)


def _login_command(build: Callable[[str, int], Command], text: str) -> Command | None:
    try:
        return build(text, LONGEST_PASSWORD)
    except CommandError:
        return None


def _text(stored: bytes) -> str:
    return stored.partition(b"\0")[0].decode()
