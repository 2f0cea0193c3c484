"""What a socket has before its firmware changes, so that it can have it again afterwards."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
import json
from typing import Any, Final, Self
import zlib

from ..beken.update_slots import UPDATE_SLOTS, UpdateSlot
from ..errors import OpenBekenError
from ..foreign_numbers import finite
from ..profile import SocketProfile
from .commands import MOST_WATT_HOURS, channel_command, energy_command
from .console import Console, SocketInfo
from .meter import read_sensors
from .ota import read_files, version_of_info
from .snapshot import Snapshot, SnapshotError, read_settings

# ConsumptionThreshold: what the firmware may have counted and not saved, and its rounding.
_UNSAVED: Final = 20.0
_VERSION: Final = 2
# No file system is larger than the slot that it lies in.
_MOST_FILES: Final = max(slot.region.size for slot in UPDATE_SLOTS.values())


class KeepsakeError(OpenBekenError):
    """What was kept of a socket cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepsake:
    """What one socket had at a moment; scripts and files in it may hold passwords."""

    settings: Snapshot
    """All of them, with what scripts hold."""
    version: str
    """The firmware's at that moment."""
    channels: Mapping[int, int]
    """Values of the channels that a relay or an LED is on."""
    energy: float | None
    """The total in Wh, None where no meter runs."""
    files: bytes = field(default=b"", repr=False)
    """The whole file system, nothing where there is none."""

    def as_json(self) -> str:
        """Return the text to be stored."""
        return json.dumps(
            {
                "format": _VERSION,
                "settings": self.settings.as_dict(),
                "version": self.version,
                "channels": {str(key): value for key, value in self.channels.items()},
                "energy": self.energy,
                "files": b64encode(zlib.compress(self.files)).decode(),
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``as_json`` returned; raises KeepsakeError for anything else."""
        try:
            stored: dict[str, Any] = json.loads(text)
            energy = stored["energy"]
            return cls(
                settings=Snapshot.from_dict(stored["settings"]),
                version=str(stored["version"]),
                channels={
                    int(key): int(value) for key, value in stored["channels"].items()
                },
                energy=None if energy is None else finite(energy),
                files=_unpack(stored["files"]),
            )
        except (
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
            RecursionError,
            SnapshotError,
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
    console: Console, slot: UpdateSlot, info: SocketInfo
) -> Keepsake:
    """Ask a socket for all that an update can cost it; raises ConsoleError."""
    settings = await read_settings(console, info)
    return Keepsake(
        settings=settings,
        version=version_of_info(info.build) or info.build,
        channels=await read_outputs(console, settings.profile),
        energy=await read_energy(console),
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
    said = await read_sensors(console)
    with suppress(KeyError, TypeError, ValueError):
        return finite(said["ENERGY"]["ConsumptionTotal"])
    return None


async def put_outputs_back(console: Console, kept: Keepsake) -> None:
    """Set relays and LEDs to what they were; raises ConsoleError."""
    now = await read_outputs(console, kept.settings.profile)
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
    """Let a socket count on from a total, or the most that it can be set to; raises ConsoleError."""
    await console.command(energy_command(min(watt_hours, MOST_WATT_HOURS)))


async def put_settings_back(console: Console, kept: Keepsake) -> bool:
    """Set again what an update changed; return whether a restart has to follow.

    A start-up command is run at the next boot only. Raises ConsoleError.
    """
    then, now = kept.settings, await read_settings(console, await console.info())
    for command in then.commands(now):
        await console.command(command)
    if now.startup_command == then.startup_command:
        return False
    await console.set_startup_command(then.startup_command)
    return True
