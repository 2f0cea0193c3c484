"""Another socket's OpenBeken goes onto a chip: the two would fight for one topic."""

from dataclasses import replace
from typing import Any, override

from homeassistant.config_entries import ConfigFlowResult

from ...const import CONF_CLIENT_ID
from ...pyopenbk.foreign_text import markdown_code, markdown_text
from ...pyopenbk.obk import config_sector
from ...pyopenbk.obk.config_sector import ConfigSector
from ...pyopenbk.obk.names import client_id_of
from .restore import RestoreSteps


class TwinSteps(RestoreSteps):
    """The steps between the choice of another chip's backup and its confirmation."""

    _own_topic: bool = False
    """The chip gets the names of its own MAC instead of those in the backup."""

    @property
    @override
    def placeholders(self) -> dict[str, str]:
        """Add whose name the backup brings along, and what the chip would be called itself."""
        values = super().placeholders
        if (config := self._twin) is None or self._own_mac is None:
            return values
        topic = markdown_text(client_id_of(self._own_mac))
        if self._own_topic:
            note = f"- {self.word('twin', 'own_topic')} **{topic}**"
            values["chosen_notes"] = f"{values['chosen_notes']}\n{note}"
        return values | {
            "twin": markdown_text(self._title_on(config.mqtt_client_id)),
            "twin_topic": markdown_code(config.mqtt_client_id),
            "own_topic": topic,
        }

    @property
    def _twin(self) -> ConfigSector | None:
        """Return the configuration that another socket goes on with, if this one gets it too."""
        chosen, own_mac = self._chosen_flash, self._own_mac
        if chosen is None or own_mac is None or chosen.mac == own_mac:
            return None
        config = chosen.analysis.config
        return config if config is not None and config.mqtt_client_id else None

    def _title_on(self, client_id: str) -> str:
        return next(
            (
                entry.title
                for entry in self._async_current_entries()
                if entry.data.get(CONF_CLIENT_ID) == client_id
            ),
            client_id,
        )

    @override
    async def async_backup_chosen(self) -> ConfigFlowResult | None:
        """Ask first whether the chip shall have a topic of its own."""
        self._own_topic = False
        return None if self._twin is None else self.show_page("restore_twin")

    async def async_step_restore_own_topic(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Restore the backup, but for the names in it."""
        self._own_topic = True
        return await self.async_step_restore_confirm()

    async def async_step_restore_as_it_is(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Restore the whole backup: the other socket is gone, or will be called otherwise."""
        self._own_topic = False
        return await self.async_step_restore_confirm()

    @override
    def configuration_after_restore(self) -> bytes | None:
        """Return the configuration of the backup with the names of this chip."""
        if (config := self._twin) is None or self._own_mac is None:
            return None
        if not self._own_topic:
            return None
        name = client_id_of(self._own_mac)
        mac = bytes.fromhex(self._own_mac.replace(":", ""))
        return config_sector.build(
            replace(
                config,
                version=config_sector.VERSION,
                mqtt_client_id=name,
                short_name=name,
                long_name=f"OpenBK7231N_{mac[-4:].hex().upper()}",
                mac=mac,
            )
        )
