"""The settings that sockets had before they were changed from here: the last few of each."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, LOGGER
from ..helpers import async_stored
from ..network.consoles import async_console_of
from ..pyopenbk.errors import OpenBekenError
from ..pyopenbk.obk.console import Console
from ..pyopenbk.obk.snapshot import Snapshot, SnapshotError, take_snapshot
from .reporting import Reporting

_KEPT: Final = 8
# Eight short questions; who needs longer is not to hold up what somebody wants to do.
_WITHIN: Final = 10.0

type Stored = dict[str, list[dict[str, Any]]]


class Before(StrEnum):
    """What was about to be changed."""

    BROKER = "broker"
    CALIBRATION = "calibration"
    CONSOLE = "console"
    PINS = "pins"
    PUTTING_BACK = "putting_back"
    REPORTING = "reporting"
    SETTING = "setting"
    TUNING = "tuning"
    UNTUNING = "untuning"
    UPDATE = "update"
    WEB_PASSWORD = "web_password"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSettings:
    """What one socket was set to before a change."""

    at: datetime
    before: Before
    snapshot: Snapshot
    reporting: Reporting | None = None
    """What Home Assistant told it whenever it came, None where nothing."""

    @property
    def text(self) -> str:
        """Return a line for each setting."""
        return self.snapshot.text + "".join(f"{line}\n" for line in self._told)

    @property
    def _told(self) -> tuple[str, ...]:
        return () if self.reporting is None else self.reporting.commands

    def reporting_difference(self, now: Reporting | None) -> tuple[str, ...]:
        """Return the lines of what is told whenever the socket comes, as those of a Difference."""
        if now == self.reporting:
            return ()
        gone = () if now is None else now.commands
        return (
            *(f"- {line}" for line in gone if line not in self._told),
            *(f"+ {line}" for line in self._told if line not in gone),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values, for storage."""
        return {
            "at": self.at.isoformat(),
            "before": str(self.before),
            "reporting": self.reporting.as_options() if self.reporting else None,
            "snapshot": self.snapshot.as_dict(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read what ``as_dict`` returned; raises SnapshotError for anything else."""
        try:
            return cls(
                at=datetime.fromisoformat(stored["at"]),
                before=Before(stored["before"]),
                reporting=Reporting.of(stored["reporting"] or {}),
                snapshot=Snapshot.from_dict(stored["snapshot"]),
            )
        except (KeyError, TypeError, ValueError) as err:
            raise SnapshotError("no settings of a socket") from err


class Snapshots:
    """Keeps them in Home Assistant's storage, readable by its own user only, by entry."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Prepare; ``async_load`` reads what was kept."""
        self._hass = hass
        self._store: Store[Stored] = Store(hass, 1, f"{DOMAIN}.settings", private=True)
        self._kept: dict[str, list[KeptSettings]] = {}

    async def async_load(self) -> None:
        """Read what was kept."""
        for entry_id, items in (await async_stored(self._store)).items():
            for item in items if isinstance(items, list) else ():
                try:
                    kept = KeptSettings.from_dict(item)
                except SnapshotError as err:
                    LOGGER.warning("Settings that were kept are damaged: %s", err)
                else:
                    self._kept.setdefault(entry_id, []).append(kept)

    @callback
    def of(self, entry: ConfigEntry) -> tuple[KeptSettings, ...]:
        """Return what was kept of a socket, the latest first."""
        return tuple(reversed(self._kept.get(entry.entry_id, ())))

    async def async_keep(
        self, entry: ConfigEntry, before: Before, console: Console | None = None
    ) -> bool:
        """Keep what a socket is set to now; return whether it could be read.

        Without a ``console`` that was seen to be this socket's, it is asked at its address.
        """
        try:
            async with asyncio.timeout(_WITHIN):
                console = console or await async_console_of(self._hass, entry.data)
                snapshot = await take_snapshot(console)
        except (OpenBekenError, TimeoutError) as err:
            LOGGER.debug("Settings of %s are not kept: %s", entry.title, err)
            return False
        await self.async_note(entry, before, snapshot)
        return True

    async def async_note(
        self, entry: ConfigEntry, before: Before, snapshot: Snapshot
    ) -> None:
        """Keep what a socket was just found to be set to, without secrets."""
        kept = KeptSettings(
            at=dt_util.utcnow(),
            before=before,
            snapshot=snapshot,
            reporting=Reporting.of(entry.options),
        )
        mine = self._kept.setdefault(entry.entry_id, [])
        if mine and mine[-1].text == kept.text:
            # Nothing came of what was to be changed then.
            mine.pop()
        mine.append(kept)
        del mine[:-_KEPT]
        await self._save()

    async def async_forget(self, entry: ConfigEntry) -> None:
        """Drop what was kept of a socket that is removed, or that other hardware takes the place of."""
        if self._kept.pop(entry.entry_id, None):
            await self._save()

    async def _save(self) -> None:
        await self._store.async_save(
            {
                entry_id: [each.as_dict() for each in items]
                for entry_id, items in self._kept.items()
            }
        )


SNAPSHOTS: Final[HassKey[Snapshots]] = HassKey(f"{DOMAIN}.snapshots")


async def async_snapshots(hass: HomeAssistant) -> Snapshots:
    """Return what is kept; a dialog may ask before the integration itself is set up."""
    if SNAPSHOTS not in hass.data:
        snapshots = Snapshots(hass)
        await snapshots.async_load()
        hass.data.setdefault(SNAPSHOTS, snapshots)
    return hass.data[SNAPSHOTS]
