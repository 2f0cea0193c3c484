"""The settings of a socket as lines that a person can read, keep and compare; no password is in them."""

from collections.abc import Iterator
import re
from typing import Final

from ..profile import SocketProfile
from .console import BOOT_SCRIPTS, Console, SocketInfo

_FLAGS: Final = 64
_REMOVED: Final = "(removed)"
# Arguments of these commands (cmd_main.c, cmd_tasmota.c and drv_*.c of 1.18.299) open something.
_SECRET_COMMAND: Final = re.compile(
    r"(\b\w*(?:password\d?|webpass|apikey|token|secret)\b[ \t]+)(\"[^\"]*\"?|[^\s;]+)",
    re.IGNORECASE,
)
_USER_OF_URL: Final = re.compile(r"(\b\w+://)[^/\s@]+@")
_SECRET_OF_URL: Final = re.compile(
    r"([?&](?:\w*(?:pass|key|token|secret|auth)\w*)=)[^&\s\"]+", re.IGNORECASE
)


def without_secrets(script: str) -> str:
    """Return a script in which what looks like a password, a key or a token is left out."""
    script = _USER_OF_URL.sub(rf"\1{_REMOVED}@", script)
    script = _SECRET_OF_URL.sub(rf"\1{_REMOVED}", script)
    return _SECRET_COMMAND.sub(rf"\1{_REMOVED}", script)


async def settings_text(console: Console) -> str:
    """Return the settings of a socket, a line for each, in an order that never changes.

    Raises ConsoleError.
    """
    lines = [*_identity(await console.info()), *_pins(await console.pins())]
    flags = await console.flags()
    lines += [f"SetFlag {bit} 1" for bit in range(_FLAGS) if flags >> bit & 1]
    types = enumerate(await console.channel_types())
    lines += [f"SetChannelType {channel} {kind}" for channel, kind in types if kind]
    starts = sorted((await console.start_values()).items())
    lines += [f"SetStartValue {channel} {value}" for channel, value in starts if value]
    lines += _script("Start-up command", await console.startup_command())
    for script in await console.boot_scripts():
        lines += _script(f"Script ({' or '.join(BOOT_SCRIPTS)})", script)
    return "\n".join(lines) + "\n"


def _identity(info: SocketInfo) -> Iterator[str]:
    yield f"Chip {info.chip}"
    yield f"Build {info.build}"
    yield f"MAC {info.mac}"
    yield f"ShortName {info.short_name}"
    yield f"MQTT broker {info.broker}"
    yield f"MqttClient {info.client_id}"


def _pins(profile: SocketProfile) -> Iterator[str]:
    for pin in profile.pins:
        yield f"SetPinRole {pin.pin} {pin.role.firmware_name}"
        if pin.role.has_channel:
            yield f"SetPinChannel {pin.pin} {pin.channel}"


def _script(title: str, text: str) -> list[str]:
    lines = without_secrets(text).splitlines()
    return [f"{title}:", *(f"  {line}" for line in lines)] if lines else []
