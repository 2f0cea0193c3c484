"""What was chosen for sockets whose writing has begun, so that a later wizard can go on."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store
from homeassistant.util.file import WriteError, write_utf8_file_atomic

from ...const import DOMAIN, LOGGER
from ...pyopenbk.obk.setup import Broker, SocketSettings, WifiNetwork
from ...pyopenbk.profile import ProfileError, SocketProfile

_VERSION: Final = 1
FIRMWARE: Final = "openbk/unfinished"


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
        """Read what as_dict returned; raises KeyError or ProfileError for something else."""
        second = stored["ssid2"]
        return cls(
            profile=SocketProfile.from_dict(stored["profile"]),
            release=stored["release"],
            settings=SocketSettings(
                name=stored["name"],
                client_id=stored["client_id"],
                group=stored["group"],
                wifi=WifiNetwork(ssid=stored["ssid"]),
                wifi2=WifiNetwork(ssid=second) if second else None,
                broker=Broker(
                    host=stored["broker"],
                    port=stored["broker_port"],
                    username=stored["broker_username"],
                ),
                ntp_server=stored["ntp_server"],
                time_zone=stored["time_zone"],
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

    async def async_find(self, mac: str) -> UnfinishedSocket | None:
        """Return what was chosen for the chip with this address."""
        stored = (await self._store.async_load() or {}).get(mac)
        if stored is None:
            return None
        try:
            return UnfinishedSocket.from_dict(stored)
        except KeyError, ProfileError:
            return None

    async def async_firmware(self, mac: str) -> bytes | None:
        """Return the file that was being written; without it, it has to be fetched again."""

        def read() -> bytes | None:
            try:
                return self._file(mac).read_bytes()
            except OSError:
                return None

        return await self._hass.async_add_executor_job(read)

    async def async_remember(
        self, mac: str, socket: UnfinishedSocket, firmware: bytes
    ) -> None:
        """Keep this on disk before the first byte of the chip is changed."""
        sockets = await self._store.async_load() or {}
        await self._store.async_save(sockets | {mac: socket.as_dict()})

        def write() -> None:
            try:
                self._file(mac).parent.mkdir(parents=True, exist_ok=True)
                write_utf8_file_atomic(str(self._file(mac)), firmware, mode="wb")
            except (OSError, WriteError) as err:
                LOGGER.warning("The firmware is not kept for a second attempt: %s", err)

        await self._hass.async_add_executor_job(write)

    async def async_forget(self, mac: str) -> None:
        """Forget a socket that has reported in."""
        sockets = await self._store.async_load() or {}
        if sockets.pop(mac, None) is not None:
            await self._store.async_save(sockets)

        def remove() -> None:
            with suppress(OSError):
                self._file(mac).unlink(missing_ok=True)

        await self._hass.async_add_executor_job(remove)

    def _file(self, mac: str) -> Path:
        return Path(self._hass.config.path(FIRMWARE, f"{mac.replace(':', '')}.bin"))
