"""What a socket has before its firmware changes, so that it can have it again afterwards."""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
import json
from typing import Any, Final, Self
import zlib

from ..beken.update_slots import UPDATE_SLOTS, UpdateSlot
from ..errors import OpenBekenError
from ..foreign_numbers import finite
from ..profile import ProfileError, SocketProfile
from .commands import (
    Command,
    channel_command,
    energy_command,
    flag_word_commands,
    pin_commands,
    readings_command,
    start_value_commands,
)
from .console import Console
from .ota import read_files

# ConsumptionThreshold: what the firmware may have counted and not saved, and its rounding.
_UNSAVED: Final = 20.0
_VERSION: Final = 1
# No file system is larger than the slot that it lies in.
_MOST_FILES: Final = max(slot.region.size for slot in UPDATE_SLOTS.values())


class KeepsakeError(OpenBekenError):
    """What was kept of a socket cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepsake:
    """What one socket had at a moment; no password is in it, but scripts and files may hold some."""

    mac: str
    version: str
    """The firmware's at that moment."""
    profile: SocketProfile
    channels: Mapping[int, int]
    """Values of the channels that a relay or an LED is on."""
    energy: float | None
    """The total in Wh, None where no meter runs."""
    flags: int | None = None
    start_values: tuple[int, ...] | None = None
    startup_command: str | None = None
    scripts: tuple[str, ...] = ()
    """What runs at boot out of its file system."""
    files: bytes = field(default=b"", repr=False)
    """The whole file system, nothing where there is none."""

    def as_json(self) -> str:
        """Return the text to be stored."""
        return json.dumps(
            {
                "format": _VERSION,
                "mac": self.mac,
                "version": self.version,
                "profile": self.profile.as_dict(),
                "channels": {str(key): value for key, value in self.channels.items()},
                "energy": self.energy,
                "flags": self.flags,
                "start_values": self.start_values,
                "startup_command": self.startup_command,
                "scripts": self.scripts,
                "files": b64encode(zlib.compress(self.files)).decode(),
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``as_json`` returned; raises KeepsakeError for anything else."""
        try:
            stored: dict[str, Any] = json.loads(text)
            starts = stored["start_values"]
            return cls(
                mac=str(stored["mac"]),
                version=str(stored["version"]),
                profile=SocketProfile.from_dict(stored["profile"]),
                channels={
                    int(key): int(value) for key, value in stored["channels"].items()
                },
                energy=stored["energy"],
                flags=stored["flags"],
                start_values=None if starts is None else tuple(starts),
                startup_command=stored["startup_command"],
                scripts=tuple(stored["scripts"]),
                files=_unpack(stored["files"]),
            )
        except (
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
            RecursionError,
            ProfileError,
            zlib.error,
        ) as err:
            raise KeepsakeError("not what was kept of a socket") from err


def _unpack(text: str) -> bytes:
    """Return a file system; raises ValueError or zlib.error for what is none, or too large."""
    unpacking = zlib.decompressobj()
    files = unpacking.decompress(b64decode(text), _MOST_FILES)
    if not unpacking.eof:
        raise ValueError("no whole file system")
    return files


async def take_keepsake(
    console: Console, slot: UpdateSlot, mac: str, version: str
) -> Keepsake:
    """Ask a socket for all that an update can cost it; raises ConsoleError."""
    profile = await console.pins()
    readable = slot.config is not None
    return Keepsake(
        mac=mac,
        version=version,
        profile=profile,
        channels=await read_outputs(console, profile),
        energy=await read_energy(console),
        flags=await console.flags() if readable else None,
        start_values=await _start_values(console) if readable else None,
        startup_command=await console.startup_command() if readable else None,
        scripts=await console.boot_scripts(),
        files=await read_files(console, slot),
    )


async def read_outputs(console: Console, profile: SocketProfile) -> dict[int, int]:
    """Return the values of the channels that a relay or an LED is on; raises ConsoleError."""
    outputs = {pin.channel for pin in (*profile.relays, *profile.leds)}
    said = await console.channels()
    return {channel: value for channel, value in said.items() if channel in outputs}


async def read_energy(console: Console) -> float | None:
    """Return the energy that a socket has counted in Wh, None where no meter runs.

    Raises ConsoleError. Whatever unit it publishes in, it counts in Wh.
    """
    said = await console.command(readings_command())
    with suppress(KeyError, TypeError, ValueError):
        return finite(said["StatusSNS"]["ENERGY"]["ConsumptionTotal"])
    return None


async def put_outputs_back(console: Console, kept: Keepsake) -> None:
    """Set relays and LEDs to what they were; raises ConsoleError."""
    now = await read_outputs(console, kept.profile)
    for channel, value in kept.channels.items():
        if now.get(channel) not in (None, value):
            await console.command(channel_command(channel, value))


async def energy_to_put_back(console: Console, kept: Keepsake) -> float | None:
    """Return the total in Wh that a socket forgot, None where it counts on; raises ConsoleError."""
    if kept.energy is None:
        return None
    now = await read_energy(console)
    return kept.energy if now is not None and now < kept.energy - _UNSAVED else None


async def set_energy(console: Console, watt_hours: float) -> None:
    """Let a socket count on from a total; raises ConsoleError."""
    await console.command(energy_command(watt_hours))


async def put_settings_back(console: Console, kept: Keepsake) -> bool:
    """Set again what an update changed; return whether a restart has to follow.

    A start-up command is run at the next boot only. Raises ConsoleError.
    """
    for command in _settings(kept, await _settings_of(console, kept)):
        await console.command(command)
    if kept.startup_command is None:
        return False
    if await console.startup_command() == kept.startup_command:
        return False
    await console.set_startup_command(kept.startup_command)
    return True


async def _start_values(console: Console) -> tuple[int, ...]:
    """Return those of all channels, as chips tell them whose configuration is read by address."""
    return tuple((await console.start_values()).values())


async def _settings_of(console: Console, kept: Keepsake) -> Keepsake:
    return Keepsake(
        mac=kept.mac,
        version=kept.version,
        profile=await console.pins(),
        channels=kept.channels,
        energy=kept.energy,
        flags=None if kept.flags is None else await console.flags(),
        start_values=None
        if kept.start_values is None
        else await _start_values(console),
    )


def _settings(kept: Keepsake, now: Keepsake) -> Iterator[Command]:
    """Yield the commands that turn the settings of now into those that were kept."""
    yield from pin_commands(now.profile, kept.profile)
    if kept.flags is not None and now.flags is not None:
        yield from flag_word_commands(now.flags, kept.flags)
    if kept.start_values is not None and now.start_values is not None:
        yield from start_value_commands(
            dict(enumerate(now.start_values)), dict(enumerate(kept.start_values))
        )
