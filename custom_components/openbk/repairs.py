"""Repairs that a person can start from Home Assistant."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Final, override

from homeassistant.components.repairs import (
    ConfirmRepairFlow,
    RepairsFlow,
    RepairsFlowResult,
)
from homeassistant.components.repairs.const import FlowType
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.selector import TextSelector
import probatio

from .const import CONF_ROAD, DOMAIN, LOGGER
from .issues import (
    half_written,
    no_time,
    old_discovery,
    restarts,
    retained_commands,
    updates,
)
from .live.state import OpenBekenConfigEntry
from .network.mqtt import NotConnectedError
from .pyopenbk.foreign_text import markdown_text
from .pyopenbk.obk.provisioning import DEFAULT_NTP_SERVER, ProvisioningError
from .updating.record import UpdateFailed
from .updating.updates import UPDATES

CONF_NTP_SERVER: Final = "ntp_server"


def _loaded_entry(flow: RepairsFlow) -> OpenBekenConfigEntry | None:
    """Return the entry that an issue is about, None where it is not set up any more."""
    entry_id = str((flow.data or {}).get("entry_id"))
    entry = flow.hass.config_entries.async_get_entry(entry_id)
    loaded = entry is not None and entry.state is ConfigEntryState.LOADED
    return entry if loaded else None


class _AskFirstFlow(RepairsFlow):
    """Shows what an issue says, with a button, and acts when it is pressed."""

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask first."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Act once it is confirmed."""
        return self.show() if user_input is None else await self.act()

    def show(self) -> RepairsFlowResult:
        """Show what the issue says."""
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
        return self.async_show_form(
            step_id="confirm",
            data_schema=probatio.Schema({}),
            description_placeholders=issue.translation_placeholders if issue else None,
        )

    @abstractmethod
    async def act(self) -> RepairsFlowResult:
        """Do it."""


class _SocketFlow(_AskFirstFlow):
    """The same of a socket, which may be removed meanwhile."""

    entry: OpenBekenConfigEntry

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Act once it is confirmed, if there is still a socket."""
        if (entry := _loaded_entry(self)) is None:
            return self.async_abort(reason="socket_removed")
        self.entry = entry
        return await super().async_step_confirm(user_input)


class RemoveOldDiscoveryFlow(_SocketFlow):
    """Remove the entities of the firmware's own discovery after a confirmation."""

    @override
    def show(self) -> RepairsFlowResult:
        """Name the socket as it is called now."""
        return self.async_show_form(
            step_id="confirm",
            description_placeholders={"name": markdown_text(self.entry.title)},
        )

    @override
    async def act(self) -> RepairsFlowResult:
        """Remove them."""
        try:
            await old_discovery.async_remove_old_discovery(self.hass, self.entry)
        except NotConnectedError:
            return self.async_abort(reason="broker_unreachable")
        except HomeAssistantError:
            return self.async_abort(reason="socket_unreachable")
        return self.async_create_entry(data={})


class TimeServerFlow(RepairsFlow):
    """Tell a socket that does not learn the time which server to ask."""

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask for the server."""
        return await self.async_step_time_server()

    async def async_step_time_server(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Set the server, and see whether the socket learns the time from it."""
        if (entry := _loaded_entry(self)) is None:
            return self.async_abort(reason="socket_removed")
        errors: dict[str, str] = {}
        if user_input is not None:
            server = user_input[CONF_NTP_SERVER].strip()
            try:
                await entry.runtime_data.async_set_time_server(server)
            except ProvisioningError:
                errors[CONF_NTP_SERVER] = "not_an_address"
            except HomeAssistantError:
                errors["base"] = "offline"
            else:
                return self.async_create_entry(data={})
        return self.async_show_form(
            step_id="time_server",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema({probatio.Required(CONF_NTP_SERVER): TextSelector()}),
                user_input or {CONF_NTP_SERVER: DEFAULT_NTP_SERVER},
            ),
            errors=errors,
            description_placeholders={"name": markdown_text(entry.title)},
        )


class ClearRetainedFlow(RepairsFlow):
    """Let the broker forget commands that it keeps for a socket."""

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Show them first."""
        return await self.async_step_clear()

    async def async_step_clear(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Clear them, and see whether they are gone."""
        if (entry := _loaded_entry(self)) is None:
            return self.async_abort(reason="socket_removed")
        try:
            return await self._look_and_clear(entry, clear=user_input is not None)
        except HomeAssistantError:
            return self.async_abort(reason="broker_unreachable")

    async def _look_and_clear(
        self, entry: OpenBekenConfigEntry, *, clear: bool
    ) -> RepairsFlowResult:
        """Show what there is, or clear it; raises HomeAssistantError without a broker."""
        found = await retained_commands.async_find(self.hass, entry)
        if not found:
            # Somebody else cleared them.
            return self.async_create_entry(data={})
        errors: dict[str, str] = {}
        on = retained_commands.switched_off_by_clearing(self.hass, found)
        if clear and on:
            errors["base"] = "switched_on"
        elif clear:
            await retained_commands.async_clear(self.hass, found)
            if not await retained_commands.async_find(self.hass, entry):
                return self.async_create_entry(data={})
            errors["base"] = "not_cleared"
        return self.async_show_form(
            step_id="clear",
            data_schema=probatio.Schema({}),
            errors=errors,
            description_placeholders={
                "name": markdown_text(entry.title),
                "commands": retained_commands.shown(found),
                "switched_on": ", ".join(map(markdown_text, on)) or "–",
            },
        )


class OpenWizardFlow(_AskFirstFlow):
    """Open the wizard, which goes on with a half-written chip; the issue goes when it is whole."""

    @override
    async def act(self) -> RepairsFlowResult:
        """Lead to the first page of the wizard, unless nothing is half-written any more."""
        await half_written.async_review_half_written(self.hass)
        if ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id) is None:
            return self.async_create_entry(data={})
        road = str((self.data or {}).get(CONF_ROAD))
        wizard = await self.hass.config_entries.flow.async_init(
            DOMAIN, context={"source": SOURCE_USER}, data={CONF_ROAD: road}
        )
        return self.async_abort(
            reason="wizard_opened",
            next_flow=(FlowType.CONFIG_FLOW, wizard["flow_id"]),
        )


class SendAgainFlow(_SocketFlow):
    """Send firmware again that did not arrive or take; the update shows how far it is."""

    @override
    async def act(self) -> RepairsFlowResult:
        """Begin; the issue goes when it is sent, and stays where it cannot be."""
        self.hass.async_create_task(_send_again(self.hass, self.entry))
        return self.async_abort(reason="sending")


class RestartsFlow(_SocketFlow):
    """Let a start count as good sooner, so that flickering mains lead to no safe mode."""

    @override
    async def act(self) -> RepairsFlowResult:
        """Tell the socket, which has to be there."""
        try:
            await restarts.async_shorten_start(self.entry)
        except HomeAssistantError:
            return self.async_abort(reason="socket_unreachable")
        return self.async_create_entry(data={})


class UpdateTheRestFlow(_AskFirstFlow):
    """Go on with the sockets whose turn did not come."""

    @override
    async def act(self) -> RepairsFlowResult:
        """Go on; the issue goes when the last one is updated."""
        watch = float((self.data or {}).get(updates.CONF_WATCH) or 0)
        # No other upload is begun once Home Assistant stops, which ends this first.
        self.hass.async_create_background_task(
            _update_the_rest(self.hass, watch), f"{DOMAIN} update of the rest"
        )
        return self.async_abort(reason="going_on")


async def _send_again(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> None:
    try:
        await hass.data[UPDATES].async_send_again(entry)
    except UpdateFailed as err:
        # The issue still says what there is to do.
        LOGGER.debug("Sending again to %s: %s", entry.title, err)


async def _update_the_rest(hass: HomeAssistant, watch: float) -> None:
    try:
        await updates.async_update_all(hass, watch=watch)
    except UpdateFailed as err:
        LOGGER.debug("Updating the rest: %s", err)


# By what the id of an issue begins with; that of all updates begins as that of a single one does.
_FLOWS: Final[Mapping[str, type[RepairsFlow]]] = {
    updates.ISSUE: UpdateTheRestFlow,
    updates.OF_ONE_SOCKET: SendAgainFlow,
    half_written.ISSUE: OpenWizardFlow,
    no_time.ISSUE: TimeServerFlow,
    old_discovery.ISSUE: RemoveOldDiscoveryFlow,
    restarts.ISSUE: RestartsFlow,
    retained_commands.ISSUE: ClearRetainedFlow,
}


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None
) -> RepairsFlow:
    """Return the flow that repairs an issue; one that only tells something is confirmed."""
    for issue, flow in _FLOWS.items():
        if issue_id == issue or issue_id.startswith(f"{issue}_"):
            return flow()
    return ConfirmRepairFlow()
