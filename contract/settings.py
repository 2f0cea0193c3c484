"""Settings of a socket that are borrowed for an expectation and put back as they were."""

from dataclasses import dataclass
import json
from typing import Final, override
from urllib.parse import quote

from .expectations import UnfitError
from .socket import Setting, Socket

# Offsets and lengths within it, from mainConfig_t of OpenBeken 1.18.299.
_SHORT_NAME: Final = (0x2DE, 32)
_START_VALUES: Final = 0x3DE
_STARTUP_COMMAND: Final = (0x5E0, 1568)


@dataclass(frozen=True, slots=True)
class ShortName(Setting):
    """The short name: every byte of it shows in /api/info, and it changes nothing else at once."""

    @override
    async def read(self, socket: Socket) -> str:
        name = str((await socket.info())["shortName"])
        if not name or '"' in name or "\\" in name or name.startswith("$"):
            raise UnfitError("the short name of this socket could not be put back")
        return name

    @override
    async def write(self, socket: Socket, value: str) -> None:
        await socket.order(f'ShortName "{value}"')


@dataclass(frozen=True, slots=True)
class StartupCommand(Setting):
    """The start-up command, out of flash where that can be read: /api/info leaves a backslash as it is."""

    @override
    async def read(self, socket: Socket) -> str:
        stored = await socket.configuration(*_STARTUP_COMMAND)
        if stored is not None:
            return stored.partition(b"\0")[0].decode(errors="surrogateescape")
        shown = str((await socket.info())["startcmd"])
        if b"\\" in (await socket.get("/api/info")).body.partition(b'"startcmd":"')[2]:
            raise UnfitError(
                "the start-up command of this socket cannot be read exactly"
            )
        return shown

    @override
    async def write(self, socket: Socket, value: str) -> None:
        data = quote(value.encode(errors="surrogateescape"), safe="")
        await socket.get(f"/startup_command?startup_cmd=1&data={data}")


@dataclass(frozen=True, slots=True)
class FlagState(Setting):
    """One of the flags 0 to 31, which /api/info shows."""

    number: int

    @override
    async def read(self, socket: Socket) -> str:
        return str(int((await socket.info())["flags"]) >> self.number & 1)

    @override
    async def write(self, socket: Socket, value: str) -> None:
        await socket.order(f"SetFlag {self.number} {value}")


@dataclass(frozen=True, slots=True)
class ChannelValue(Setting):
    """The value of a channel."""

    channel: int

    @override
    async def read(self, socket: Socket) -> str:
        return (await socket.ask(f"GetChannel {self.channel}")).text

    @override
    async def write(self, socket: Socket, value: str) -> None:
        await socket.order(f"SetChannel {self.channel} {value}")


@dataclass(frozen=True, slots=True)
class ChannelType(Setting):
    """The type of a channel; one with a type is published."""

    channel: int

    @override
    async def read(self, socket: Socket) -> str:
        types = json.loads((await socket.get("/api/channelTypes")).body)
        return str(types["typenames"][types["types"][self.channel]])

    @override
    async def write(self, socket: Socket, value: str) -> None:
        await socket.order(f"SetChannelType {self.channel} {value}")


@dataclass(frozen=True, slots=True)
class StartValue(Setting):
    """What a channel starts with, out of flash."""

    channel: int

    @override
    async def read(self, socket: Socket) -> str:
        stored = await socket.configuration(_START_VALUES + 2 * self.channel, 2)
        if stored is None:
            raise UnfitError("where this chip keeps its start values is not known")
        return str(int.from_bytes(stored, "little", signed=True))

    @override
    async def write(self, socket: Socket, value: str) -> None:
        await socket.order(f"SetStartValue {self.channel} {value}")
        await socket.saved()


@dataclass(frozen=True, slots=True)
class PinRole(Setting):
    """The role of a pin."""

    pin: int

    @override
    async def read(self, socket: Socket) -> str:
        pins = json.loads((await socket.get("/api/pins")).body)
        name = str(pins["rolenames"][pins["roles"][self.pin]]).strip()
        return name or "None"

    @override
    async def write(self, socket: Socket, value: str) -> None:
        await socket.order(f"SetPinRole {self.pin} {value}")


@dataclass(frozen=True, slots=True)
class PinChannel(Setting):
    """The channel of a pin."""

    pin: int

    @override
    async def read(self, socket: Socket) -> str:
        pins = json.loads((await socket.get("/api/pins")).body)
        return str(pins["channels"][self.pin])

    @override
    async def write(self, socket: Socket, value: str) -> None:
        await socket.order(f"SetPinChannel {self.pin} {value}")
