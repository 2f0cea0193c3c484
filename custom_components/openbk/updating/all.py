"""Updates of many sockets: one after the other, the first one watched for a while."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from homeassistant.components.update import ATTR_LATEST_VERSION
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_ON, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from ..const import DOMAIN
from ..live.state import OpenBekenConfigEntry
from ..network.consoles import SOCKET_ACCESS
from ..pyopenbk.obk.builds import version_of
from .record import FAULTS_OF_ONE_SOCKET, UpdateFailed
from .updates import UPDATES

# As the update entity has it.
_KEY: Final = "firmware"
# Seconds of the socket's. It is back on the broker within a minute, if it is.
_THERE_WITHIN: Final = 180.0
_LOOK_EVERY: Final = 5.0


@dataclass(slots=True)
class Report:
    """Where it stands, by the names of the sockets."""

    updated: list[str] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)
    """With what was the matter with them; nothing was sent to them."""
    failed: str | None = None
    """The one at which it stopped."""
    reason: str = ""
    left: list[str] = field(default_factory=list)
    """Those whose turn did not come."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as the response of an action."""
        return {
            "updated": self.updated,
            "passed_over": self.passed_over,
            "failed": self.failed,
            "reason": self.reason or None,
            "not_updated": self.left,
        }


def sockets_to_update(hass: HomeAssistant) -> list[tuple[OpenBekenConfigEntry, str]]:
    """Return the sockets that an update is offered for, with its version, by their names.

    One whose owner skips this version, or disabled its update, is left alone.
    """
    registry = er.async_get(hass)
    found = []
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        unique_id = f"{entry.runtime_data.identity}_{_KEY}"
        entity_id = registry.async_get_entity_id(Platform.UPDATE, DOMAIN, unique_id)
        state = hass.states.get(entity_id) if entity_id else None
        if state is not None and state.state == STATE_ON:
            found.append((entry, str(state.attributes[ATTR_LATEST_VERSION])))
    return sorted(found, key=lambda item: item[0].title)


class UpdateAll:
    """One round through a house."""

    def __init__(self, hass: HomeAssistant, watch: float) -> None:
        """Prepare to watch the first socket for ``watch`` seconds of its own."""
        self._hass = hass
        self._watch_for = watch
        self._access = hass.data[SOCKET_ACCESS]
        self.report = Report()

    async def async_run(
        self, sockets: Sequence[tuple[OpenBekenConfigEntry, str]]
    ) -> Report:
        """Update sockets in this order, and stop at the first that fails."""
        report = self.report
        waiting = list(sockets)
        while waiting:
            entry, version = waiting.pop(0)
            try:
                await self._hass.data[UPDATES].async_install(entry, version)
                if not report.updated:
                    await self._watch(entry, version)
            except UpdateFailed as err:
                if err.trouble is None and err.key in FAULTS_OF_ONE_SOCKET:
                    report.passed_over[entry.title] = str(err)
                    continue
                report.failed, report.reason = entry.title, str(err)
                report.left = [each.title for each, _ in waiting]
                break
            report.updated.append(entry.title)
        return report

    async def _watch(self, entry: OpenBekenConfigEntry, version: str) -> None:
        """Look whether the first socket keeps running what it has; raises UpdateFailed.

        It has to be on the broker with the new version, and must not start anew meanwhile.
        """
        if self._watch_for <= 0:
            return
        await self._until_there(entry, version)
        since = self._access.now()
        await self._access.sleep(self._watch_for)
        await self._until_there(entry, version)
        if await self._hass.data[UPDATES].async_has_restarted(entry, since):
            raise UpdateFailed("canary", name=entry.title)

    async def _until_there(self, entry: OpenBekenConfigEntry, version: str) -> None:
        end = self._access.now() + _THERE_WITHIN
        while not (
            entry.state is ConfigEntryState.LOADED
            and entry.runtime_data.online
            and version_of(entry.runtime_data.build) == version
        ):
            if self._access.now() > end:
                raise UpdateFailed("canary", name=entry.title)
            await self._access.sleep(_LOOK_EVERY)
