"""The console of a socket: a command with its answer over HTTP, without one over MQTT."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from ..const import CONF_ADDRESS, DOMAIN, LOGGER
from ..network.consoles import async_console_of, keep_password, kept_password
from ..pyopenbk.obk.commands import CommandError, check_over_mqtt, typed_command
from ..pyopenbk.obk.console import (
    CommandRefusedError,
    Console,
    ConsoleError,
    OtherSocketError,
    PasswordError,
    UnreachableError,
)
from ..pyopenbk.obk.snapshot import take_snapshot
from .snapshots import SNAPSHOTS, Before
from .state import OpenBekenConfigEntry

# These ask, switch or restart, and change no setting; of any other command nobody knows.
_WITHOUT_SETTINGS: Final = frozenset(
    {
        "addchannel",
        "echo",
        "getchannel",
        "power",
        "powerall",
        "publish",
        "publishall",
        "reboot",
        "restart",
        "setchannel",
        "status",
        "togglechannel",
    }
)


class PasswordChange(Enum):
    """What was seen of a new password for the web pages."""

    SEEN = auto()
    """It opens them, and nothing else does."""
    NOT_TAKEN = auto()
    """It does not count."""
    NOT_SEEN = auto()
    """It was sent, and the socket did not answer since then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a command."""

    transport: str
    """``http``, where the socket said that it ran it, or ``mqtt``, where nobody says."""
    response: Any
    """JSON, often empty; None over MQTT."""


async def async_run(
    hass: HomeAssistant, entry: OpenBekenConfigEntry, line: str
) -> Answer:
    """Run a command that a person typed.

    Raises ServiceValidationError for what was not sent, as it could do harm or the socket does
    not know it, and HomeAssistantError where it is not known whether it was run.
    """
    try:
        command = typed_command(line)
    except CommandError as err:
        raise _invalid(entry, f"command_{err.problem}") from err
    socket = entry.runtime_data
    try:
        console = await async_console(hass, entry)
    except UnreachableError, PasswordError:
        try:
            check_over_mqtt(command)
        except CommandError as err:
            raise _invalid(entry, f"command_{err.problem}") from err
        await socket.async_command(command)
        answer = Answer(transport="mqtt", response=None)
    else:
        if command.partition(" ")[0].casefold() not in _WITHOUT_SETTINGS:
            await hass.data[SNAPSHOTS].async_keep(entry, Before.CONSOLE, console)
        try:
            said = await console.command(command)
        except CommandRefusedError as err:
            key = "command_unknown" if err.unknown else "command_refused"
            raise _invalid(entry, key) from err
        except ConsoleError as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="command_unanswered",
                translation_placeholders={"name": entry.title},
            ) from err
        answer = Answer(transport="http", response=said)
    socket.readback.changed()
    return answer


async def async_settings(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> str:
    """Return the settings of a socket as text without passwords; raises ServiceValidationError."""
    try:
        return (await take_snapshot(await async_console(hass, entry))).text
    except PasswordError as err:
        raise _invalid(entry, "update_password") from err
    except ConsoleError as err:
        raise _invalid(entry, "settings_unreadable") from err


async def async_set_web_password(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    present: str | None,
    new: str | None,
) -> PasswordChange:
    """Set the password of a socket's web pages, None for none; return what was seen of it.

    ``present`` opens them now. Home Assistant keeps the new one as long as it runs, but for one
    that was seen not to count. Raises as ``async_console``, where nothing was sent yet.
    """
    if (address := entry.data[CONF_ADDRESS]) is None:
        raise UnreachableError("no address is known")
    present = present or kept_password(hass, address)
    console = await async_console(hass, entry, present)
    await hass.data[SNAPSHOTS].async_keep(entry, Before.WEB_PASSWORD, console)
    try:
        await console.set_web_password(new)
    except PasswordError:
        raise
    except ConsoleError as err:
        # It may have taken it all the same.
        LOGGER.debug("%s does not answer to a new password: %s", entry.title, err)
    keep_password(hass, address, new)
    try:
        await async_console(hass, entry)
        if new is not None:
            keep_password(hass, address, None)
            try:
                await async_console(hass, entry)
            except PasswordError:
                pass
            else:
                return PasswordChange.NOT_TAKEN
            finally:
                keep_password(hass, address, new)
    except PasswordError:
        keep_password(hass, address, present)
        return PasswordChange.NOT_TAKEN
    except UnreachableError, ServiceValidationError:
        return PasswordChange.NOT_SEEN
    entry.runtime_data.readback.begin()
    return PasswordChange.SEEN


async def async_console(
    hass: HomeAssistant, entry: OpenBekenConfigEntry, password: str | None = None
) -> Console:
    """Return the web server of a socket, once it was seen to be this socket's.

    Without a password, it is the one that is kept. Raises ServiceValidationError where another
    one answers, UnreachableError and PasswordError.
    """
    try:
        return await async_console_of(hass, entry.data, password)
    except PasswordError:
        raise
    except OtherSocketError as err:
        raise _invalid(entry, "update_other_socket") from err
    except ConsoleError as err:
        LOGGER.debug("%s does not answer: %s", entry.title, err)
        raise UnreachableError("no answer") from err


def _invalid(entry: OpenBekenConfigEntry, key: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={"name": entry.title},
    )
