"""What was chosen for sockets whose writing has begun, so that a later wizard can go on."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, LOGGER
from ..helpers import async_stored
from ..pyopenbk.backups import BackupError
from ..pyopenbk.backups.files import (
    make_private_folder,
    read_small_file,
    read_text_field,
    write_private_file,
)
from ..pyopenbk.beken.chips import FLASH_SIZES
from ..pyopenbk.obk.setup import Broker, SocketSettings, WifiNetwork
from ..pyopenbk.profile import ProfileError, SocketProfile

_VERSION: Final = 1
UNFINISHED_FOLDER: Final = "openbk/unfinished"
_LONGEST_TEXT: Final = 256
_PORTS: Final = range(1, 0x10000)
_CHANGING: Final[HassKey[asyncio.Lock]] = HassKey(f"{DOMAIN}.unfinished")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedSocket:
    """A socket's pins and settings without any password, and the release it was to get."""

    profile: SocketProfile
    settings: SocketSettings
    release: str | None
    """None: the firmware was an uploaded file."""

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        settings = self.settings.without_secrets()
        return {
            "profile": self.profile.as_dict(),
            "release": self.release,
            "name": settings.name,
            "model": settings.model,
            "client_id": settings.client_id,
            "group": settings.group,
            "ssid": settings.wifi.ssid,
            "ssid2": settings.wifi2.ssid if settings.wifi2 else None,
            "broker": settings.broker.host,
            "broker_port": settings.broker.port,
            "broker_username": settings.broker.username,
            "ntp_server": settings.ntp_server,
            "time_zone": settings.time_zone,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """Read what as_dict returned.

        Raises KeyError, TypeError, ValueError or ProfileError for something else.
        """

        def text(key: str) -> str:
            return read_text_field(stored[key], _LONGEST_TEXT)

        port = stored["broker_port"]
        if type(port) is not int or port not in _PORTS:
            raise ValueError("no port of a broker")
        return cls(
            profile=SocketProfile.from_dict(stored["profile"]),
            release=None if stored["release"] is None else text("release"),
            settings=SocketSettings(
                name=text("name"),
                model=text("model") if "model" in stored else "",
                client_id=text("client_id"),
                group=text("group"),
                wifi=WifiNetwork(ssid=text("ssid")),
                wifi2=WifiNetwork(ssid=text("ssid2")) if stored["ssid2"] else None,
                broker=Broker(
                    host=text("broker"), port=port, username=text("broker_username")
                ),
                ntp_server=text("ntp_server"),
                time_zone=text("time_zone"),
            ),
        )


class UnfinishedSockets:
    """The sockets whose writing has begun and that have not reported in yet, by MAC."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Keep them in Home Assistant's storage, readable by its own user only."""
        self._hass = hass
        self._store: Store[dict[str, dict[str, Any]]] = Store(
            hass, _VERSION, f"{DOMAIN}.unfinished", private=True
        )
        # Two wizards may write sockets at the same time, and each reads and writes all of them.
        self._changing = hass.data.setdefault(_CHANGING, asyncio.Lock())

    async def async_find(self, mac: str) -> UnfinishedSocket | None:
        """Return what was chosen for the chip with this address."""
        stored = (await async_stored(self._store)).get(mac)
        if stored is None:
            return None
        try:
            return UnfinishedSocket.from_dict(stored)
        except (KeyError, TypeError, ValueError, ProfileError) as err:
            LOGGER.warning(
                "What was chosen for %s cannot be read: %s", mac, type(err).__name__
            )
            return None

    async def async_firmware(self, mac: str) -> bytes | None:
        """Return the file that was being written; without it, it has to be fetched again."""

        def read() -> bytes | None:
            try:
                return read_small_file(self._file(mac), max(FLASH_SIZES))
            except FileNotFoundError:
                return None
            except (OSError, ValueError) as err:
                LOGGER.warning(
                    "Passing over %s: %s", self._file(mac), type(err).__name__
                )
                return None

        return await self._hass.async_add_executor_job(read)

    async def async_remember(
        self, mac: str, socket: UnfinishedSocket, firmware: bytes
    ) -> None:
        """Keep this on disk before the first byte of the chip is changed."""
        async with self._changing:
            sockets = await async_stored(self._store)
            await self._store.async_save(sockets | {mac: socket.as_dict()})

        def write() -> None:
            try:
                make_private_folder(self._file(mac).parent)
                write_private_file(self._file(mac), firmware)
            except BackupError as err:
                LOGGER.warning("The firmware is not kept for a second attempt: %s", err)

        await self._hass.async_add_executor_job(write)

    async def async_forget(self, mac: str) -> None:
        """Forget a socket that has reported in."""
        async with self._changing:
            sockets = await async_stored(self._store)
            if sockets.pop(mac, None) is not None:
                await self._store.async_save(sockets)

        def remove() -> None:
            with suppress(OSError):
                self._file(mac).unlink(missing_ok=True)

        await self._hass.async_add_executor_job(remove)

    def _file(self, mac: str) -> Path:
        return Path(
            self._hass.config.path(UNFINISHED_FOLDER, f"{mac.replace(':', '')}.bin")
        )
