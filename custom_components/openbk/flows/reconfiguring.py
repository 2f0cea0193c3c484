"""A socket that is set up already: follow it elsewhere, or lead it to another broker."""

from dataclasses import replace
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigEntryState, ConfigFlowResult
from homeassistant.helpers.device_registry import format_mac
from homeassistant.helpers.selector import TextSelector
import probatio

from ..const import (
    CONF_ADDRESS,
    CONF_CLIENT_ID,
    CONF_GROUP,
    CONF_MAC,
    CONF_PROFILE,
    CONF_ROAD,
    LOGGER,
    ROAD_RESTORE,
)
from ..live.entries import async_entry_of, async_replace_hardware
from ..live.state import OpenBekenConfigEntry, identity_of_entry
from ..network import discovery
from ..network.discovery import Answers
from ..network.mqtt import NotConnectedError
from ..pyopenbk.foreign_text import markdown_text
from ..pyopenbk.obk.console import ConsoleError
from ..pyopenbk.obk.flags import Flag
from ..pyopenbk.profile import SocketProfile
from ..updating.updates import UPDATES
from . import pin_form
from .checks import socket_address, topics_problem
from .forms import CONF_BACKUP, tidy
from .road import ConfigRoad


class ReconfigureSteps(ConfigRoad):
    """The steps from an entry to the same entry, put right."""

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what has changed, or what is to be written to this socket."""
        await self.async_prepare()
        entry = self._get_reconfigure_entry()
        self.session.entry_mac = entry.data[CONF_MAC]
        self.session.settings = replace(
            self.session.settings,
            client_id=entry.data[CONF_CLIENT_ID],
            group=entry.data[CONF_GROUP],
        )
        if user_input is not None and user_input.get(CONF_ROAD) == ROAD_RESTORE:
            # The list of backups has led here.
            self.session.wanted_backup = user_input[CONF_BACKUP]
            return await self.async_step("restore")
        return self.async_show_menu(
            step_id="reconfigure",
            menu_options=["moved", "new_broker", "replaced", "flash", "restore"],
        )

    async def async_step_moved(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Follow a socket whose topics or address were changed on its own pages."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            errors = await self._check_moved(entry, user_input)
            if not errors:
                return self.async_update_reload_and_abort(
                    entry,
                    data_updates={
                        CONF_CLIENT_ID: tidy(user_input[CONF_CLIENT_ID]),
                        CONF_GROUP: tidy(user_input[CONF_GROUP]),
                        CONF_ADDRESS: socket_address(user_input.get(CONF_ADDRESS, "")),
                    },
                )
        return self.async_show_form(
            step_id="moved",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(
                    {
                        probatio.Required(CONF_CLIENT_ID): TextSelector(),
                        probatio.Required(CONF_GROUP): TextSelector(),
                        probatio.Optional(CONF_ADDRESS): TextSelector(),
                    }
                ),
                user_input or entry.data,
            ),
            errors=errors,
        )

    async def _check_moved(
        self, entry: ConfigEntry, user_input: dict[str, Any]
    ) -> dict[str, str]:
        client_id, group = (
            tidy(user_input[CONF_CLIENT_ID]),
            tidy(user_input[CONF_GROUP]),
        )
        if problem := topics_problem(
            self.hass, client_id, group, own=entry, has_them=True
        ):
            return {"base": problem}
        address = user_input.get(CONF_ADDRESS, "").strip()
        if address and socket_address(address) is None:
            return {CONF_ADDRESS: "socket_address_invalid"}
        if client_id == entry.data[CONF_CLIENT_ID]:
            return {}
        try:
            evidence = await discovery.async_gather(self.hass, client_id)
        except NotConnectedError:
            return {"base": "mqtt_disconnected"}
        if not evidence.is_socket:
            return {CONF_CLIENT_ID: "socket_silent"}
        if format_mac(evidence.mac or "") != entry.data[CONF_MAC]:
            return {CONF_CLIENT_ID: "socket_other"}
        return {}

    async def async_step_replaced(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let another socket take the place of one that is broken."""
        entry: OpenBekenConfigEntry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            client_id = tidy(user_input[CONF_CLIENT_ID])
            if error := await self._find_replacement(entry, client_id):
                errors["base"] = error
            else:
                return await self._replace(entry)
        return self.async_show_form(
            step_id="replaced",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema({probatio.Required(CONF_CLIENT_ID): TextSelector()}),
                user_input or entry.data,
            ),
            errors=errors,
            description_placeholders={
                "name": markdown_text(entry.title),
                "mac": entry.data[CONF_MAC],
            },
        )

    async def _find_replacement(
        self, entry: OpenBekenConfigEntry, client_id: str
    ) -> str | None:
        """Ask who is on a topic; return the key of why it cannot take the place of this one."""
        group = entry.data[CONF_GROUP]
        if problem := topics_problem(
            self.hass, client_id, group, own=entry, has_them=True
        ):
            return problem
        try:
            evidence = await discovery.async_gather(self.hass, client_id)
        except NotConnectedError:
            return "mqtt_disconnected"
        if not evidence.is_socket:
            return "socket_silent"
        mac = format_mac(evidence.mac or "")
        if mac == entry.data[CONF_MAC]:
            return "hardware_same"
        if async_entry_of(self.hass, mac=mac) is not None:
            return "hardware_taken"
        # Two are there, and only one can be this socket.
        elsewhere = client_id != entry.data[CONF_CLIENT_ID]
        loaded = entry.state is ConfigEntryState.LOADED
        if elsewhere and loaded and entry.runtime_data.online:
            return "hardware_online"
        if self.hass.data[UPDATES].of(identity_of_entry(entry)).stage is not None:
            return "hardware_updating"
        self.session.evidence = evidence
        return None

    async def _replace(self, entry: OpenBekenConfigEntry) -> ConfigFlowResult:
        assert self.session.evidence is not None
        evidence = self.session.evidence
        mac = format_mac(evidence.mac or "")
        profile = SocketProfile.from_dict(entry.data[CONF_PROFILE])
        answers = await self._answers_at(evidence.address, mac, evidence.client_id)
        if answers is not None:
            evidence.chip = answers.chip
            if not pin_form.problem_of(answers.profile):
                profile = answers.profile
        flags = answers.flags if answers else None
        found = discovery.entry_data(
            evidence,
            profile,
            tuned=answers is not None
            and flags is not None
            and answers.proposal().tuned(()),
            undo={},
            in_kwh=None if flags is None else bool(flags & Flag.ENERGY_IN_KWH.mask),
            labels=answers.labels if answers else None,
            group=(answers and answers.group) or entry.data[CONF_GROUP],
        )
        # What an update left behind is in the old hardware.
        await self.hass.data[UPDATES].async_forget(identity_of_entry(entry))
        await async_replace_hardware(self.hass, entry, found | {CONF_MAC: mac})
        return self.async_abort(
            reason="hardware_replaced",
            description_placeholders={"name": markdown_text(entry.title), "mac": mac},
        )

    async def _answers_at(
        self, address: str | None, mac: str, client_id: str
    ) -> Answers | None:
        """Return what a socket says over HTTP if it does; its pins may be others than before."""
        if address is None:
            return None
        try:
            answers = await discovery.async_ask(self.hass, address)
        except ConsoleError as err:
            LOGGER.debug("Pins at %s: %s", address, err)
            return None
        return answers if answers.is_of(mac, client_id) else None
