"""Another socket's OpenBeken goes onto a chip: the two would fight for one topic."""

from dataclasses import replace
from typing import Any

from homeassistant.config_entries import ConfigFlowResult

from ...const import CONF_CLIENT_ID
from ...pyopenbk.foreign_text import markdown_code, markdown_text
from ...pyopenbk.obk import config_sector
from ...pyopenbk.obk.names import client_id_of, long_name_of
from .base import WizardFlow
from .session import WizardSession


class TwinSteps(WizardFlow):
    """The steps between the choice of another chip's backup and its confirmation."""

    @property
    def twin_placeholders(self) -> dict[str, str]:
        """Return whose name the backup brings along, and what the chip would be called itself."""
        config, own_mac = self.session.twin, self.session.own_mac
        if config is None or own_mac is None:
            return {}
        return {
            "twin": markdown_text(self._title_on(config.mqtt_client_id)),
            "twin_topic": markdown_code(config.mqtt_client_id),
            "own_topic": markdown_text(client_id_of(own_mac)),
        }

    def _title_on(self, client_id: str) -> str:
        return next(
            (
                entry.title
                for entry in self._async_current_entries()
                if entry.data.get(CONF_CLIENT_ID) == client_id
            ),
            client_id,
        )

    async def async_step_restore_own_topic(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Restore the backup, but for the names in it."""
        self.session.own_topic = True
        return await self.async_step("restore_confirm")

    async def async_step_restore_as_it_is(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Restore the whole backup: the other socket is gone, or will be called otherwise."""
        self.session.own_topic = False
        return await self.async_step("restore_confirm")


def configuration_after_restore(session: WizardSession) -> bytes | None:
    """Return the configuration of the backup with the names of this chip, if it shall get those."""
    config, own_mac = session.twin, session.own_mac
    if config is None or own_mac is None or not session.own_topic:
        return None
    name = client_id_of(own_mac)
    mac = bytes.fromhex(own_mac.replace(":", ""))
    return config_sector.build(
        replace(
            config,
            version=config_sector.VERSION,
            mqtt_client_id=name,
            short_name=name,
            long_name=long_name_of(own_mac, session.chip),
            mac=mac,
        )
    )
