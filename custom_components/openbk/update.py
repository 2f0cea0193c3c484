"""The firmware of a socket: which it runs, which is the newest, and installing that."""

from typing import Any, Final, override

from homeassistant.components.update import (
    UpdateDeviceClass,
    UpdateEntity,
    UpdateEntityDescription,
    UpdateEntityFeature,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN, LOGGER
from .entity import SocketEntity
from .live.state import OpenBekenConfigEntry, SocketState
from .network.firmware import FIRMWARE, newer_than
from .pyopenbk.beken.update_slots import UPDATE_SLOTS
from .pyopenbk.foreign_text import markdown_text
from .pyopenbk.obk.builds import chip_of, version_of
from .pyopenbk.obk.releases import Lack, ReleaseError, Update, lacks, parse_version
from .updating.updates import UPDATES

PARALLEL_UPDATES = 0

_SHOWN: Final = UpdateEntityFeature.RELEASE_NOTES
_INSTALLED: Final = (
    _SHOWN
    | UpdateEntityFeature.INSTALL
    | UpdateEntityFeature.PROGRESS
    | UpdateEntityFeature.SPECIFIC_VERSION
)
# What a person should know, among the words for selectors.
_HINTS: Final = "update_hint"
_MOST_RELEASES: Final = 10
_MOST_LINES: Final = 40
_LONGEST_LINE: Final = 160

FIRMWARE_UPDATE: Final = UpdateEntityDescription(
    key="firmware", device_class=UpdateDeviceClass.FIRMWARE
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the update of a socket."""
    async_add_entities([FirmwareUpdate(entry.runtime_data)])


class FirmwareUpdate(SocketEntity, UpdateEntity):
    """The update of a socket, which is there even while the socket restarts."""

    entity_description: UpdateEntityDescription
    # As core has it for what is updated: the picture of the brand.
    entity_picture = f"/api/brands/integration/{DOMAIN}/icon.png"
    _attr_title = "OpenBeken"

    def __init__(self, socket: SocketState) -> None:
        """Make the entity of a socket."""
        super().__init__(socket, FIRMWARE_UPDATE)
        self._source = socket.hass.data[FIRMWARE]
        self._update = socket.hass.data[UPDATES].of(socket.identity)

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the socket, its update and the releases."""
        await super().async_added_to_hass()
        for listen in (
            self.socket.listen_online,
            self.socket.listen_described,
            self._update.listen,
            self._source.listen,
        ):
            self.async_on_remove(listen(self._changed))
        self._take()

    async def async_update(self) -> None:
        """Look for releases now, as somebody asked to; what was known stays known without an answer."""
        try:
            await self._source.async_refresh()
        except ReleaseError as err:
            LOGGER.warning("The releases of OpenBeken could not be looked up: %s", err)

    @override
    async def async_install(
        self, version: str | None, backup: bool, **kwargs: Any
    ) -> None:
        """Install a release, the newest if none is named."""
        if (wanted := version or self.latest_version) is None:
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="update_no_release"
            )
        await self.hass.data[UPDATES].async_install(self.socket.entry, wanted)

    @override
    async def async_release_notes(self) -> str | None:
        """Return what the releases since the installed one say of themselves, None without any."""
        installed = self.installed_version
        updates = newer_than(self._source.known(self._chip), installed)
        if not updates:
            return None
        words = await async_get_translations(
            self.hass, self.hass.config.language, "selector", [DOMAIN]
        )
        hints = "\n".join(
            words[f"component.{DOMAIN}.selector.{_HINTS}.options.{hint}"]
            for hint in _hints(installed)
        )
        return "\n\n".join([hints, *map(_notes, updates[:_MOST_RELEASES])])

    @override
    def version_is_newer(self, latest_version: str, installed_version: str) -> bool:
        """Return whether a release is newer; a build of one's own is not taken for older."""
        latest, installed = map(parse_version, (latest_version, installed_version))
        return latest is not None and installed is not None and latest > installed

    @property
    def _chip(self) -> str | None:
        return chip_of(self.socket.build)

    @callback
    def _changed(self) -> None:
        self._take()
        self.async_write_ha_state()

    @callback
    def _take(self) -> None:
        known = self._source.known(self._chip)
        newest = known[0] if known else None
        stage, fraction = self._update.stage, self._update.fraction
        # What was left half-done has to be done again, also where the socket is not heard of.
        self.available = (
            self.socket.online or stage is not None or self._update.record is not None
        )
        self._attr_installed_version = version_of(self.socket.build)
        self._attr_latest_version = newest.version if newest else None
        self._attr_release_url = newest.page if newest else None
        self._attr_in_progress = stage is not None
        self._attr_update_percentage = None if fraction is None else int(100 * fraction)
        self._attr_supported_features = (
            _INSTALLED if self._chip in UPDATE_SLOTS else _SHOWN
        )


def _hints(installed: str | None) -> list[str]:
    """Return what a person should know before the update of a version."""
    if Lack.ENERGY_SURVIVES_UPDATE in lacks(installed or ""):
        return ["restarts", "counters_move"]
    return ["restarts"]


def _notes(update: Update) -> str:
    """Return Markdown that shows what a release says of itself, whatever that is."""
    lines = [line for line in update.notes.splitlines() if line.strip()]
    shown = [markdown_text(line, _LONGEST_LINE) for line in lines[:_MOST_LINES]]
    if len(lines) > len(shown):
        shown.append("…")
    title = f"**{markdown_text(update.version)}** ({update.published:%Y-%m-%d})"
    return "\n".join([title, "", *(f"- {line}" for line in shown)])
