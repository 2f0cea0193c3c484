"""Adding a socket that already runs OpenBeken: by hand, or because it was discovered."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, override

from homeassistant.config_entries import SOURCE_MQTT, SOURCE_USER, ConfigFlowResult
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import callback
from homeassistant.helpers.device_registry import format_mac
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
import probatio

from ..const import (
    CONF_ADDRESS,
    CONF_CLIENT_ID,
    CONF_GROUP,
    CONF_MODEL,
    CONF_TIME_ZONE,
    LOGGER,
)
from ..issues.other_socket import async_tell_of_twin
from ..issues.unfinished import UnfinishedSocket, UnfinishedSockets
from ..live.entries import async_entry_of, async_follow, async_identity_of
from ..network import discovery
from ..network.consoles import console_at
from ..network.discovery import Answers, Evidence
from ..network.mqtt import NotConnectedError, async_wait_for_mqtt
from ..network.strangers import strangers
from ..pyopenbk.beken.rf_sector import is_generic_mac
from ..pyopenbk.foreign_text import markdown_text, one_line
from ..pyopenbk.obk.builds import is_before, version_of
from ..pyopenbk.obk.console import ConsoleError, PasswordError, UnreachableError
from ..pyopenbk.obk.names import client_id_of_host
from ..pyopenbk.obk.tuning import Proposal, StartupChangedError, TuneStep, Tuning
from . import pin_form
from .checks import console_error, socket_address, topic_problem
from .forms import PASSWORD, WEB_PASSWORD, tidy, web_page, without
from .road import ConfigRoad
from .tuning_form import CONF_CHANGES, proposal_text, tune_schema, undo_data

CONF_FOUND: Final = "found"
_ANOTHER: Final = "another"
# Before, a socket does not listen on the topics on which its channels are asked for (new_mqtt.c):
# nobody could tell its state, nor whether it got a command.
_ANSWERS_SINCE: Final = (1, 15, 362)


class AddingSteps(ConfigRoad):
    """The steps from a socket that runs to its entry."""

    _proposal: Proposal = Proposal()
    _found: Sequence[Evidence] = ()
    _tuned: tuple[Tuning, ...] = ()
    _asked: bool = False
    """It said over HTTP what it is set to, so it is known what would be worth changing."""
    _labels: Mapping[int, str] = MappingProxyType({})
    """What the socket calls its relays."""
    _group: str | None = None
    """The topic that it shares with others, where it could be asked for it."""

    @property
    def adding_placeholders(self) -> dict[str, str]:
        """Return who was found."""
        found = self.session.evidence
        if found is None:
            return {}
        return {
            "name": markdown_text(self._name),
            "client_id": markdown_text(found.client_id),
            "mac": found.mac or "?",
            "build": markdown_text(found.build or "?"),
            "address": markdown_text(found.address or "?"),
        }

    @property
    def _name(self) -> str:
        """Return what the socket will be called."""
        assert self.session.evidence is not None
        return (
            self.session.unfinished.settings.name
            if self.session.unfinished
            else self.session.evidence.client_id
        )

    async def async_step_existing(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Look for sockets on the broker; what they retain there does not open a flow."""
        await self.async_prepare()
        if not await async_wait_for_mqtt(self.hass):
            return self.show_page("existing_mqtt_missing")
        return await self.async_step_find()

    async def async_step_find(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask around."""
        return await self.async_try("find", self._find, again="existing")

    async def _find(self) -> str:
        self._found = await discovery.async_find(self.hass)
        return "found" if self._found else "where"

    async def async_step_found(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask which of the sockets that were found it is."""
        if user_input is not None:
            for evidence in self._found:
                if evidence.client_id == user_input[CONF_FOUND]:
                    self.session.evidence = evidence
                    await self._take_found()
                    return await self.async_step_read_pins()
            return await self.async_step_where()
        options = [
            SelectOptionDict(
                value=item.client_id, label=await self._label_of_found(item)
            )
            for item in self._found
        ]
        options.append(
            SelectOptionDict(value=_ANOTHER, label=self.word("found", _ANOTHER))
        )
        return self.async_show_form(
            step_id="found",
            data_schema=probatio.Schema(
                {
                    probatio.Required(CONF_FOUND): SelectSelector(
                        SelectSelectorConfig(
                            options=options, mode=SelectSelectorMode.LIST
                        )
                    )
                }
            ),
            description_placeholders=self.placeholders,
        )

    async def _label_of_found(self, evidence: Evidence) -> str:
        """Return what a person knows a socket by that was found."""
        left = await self._choices_of(evidence)
        if left is None:
            return f"{evidence.client_id} ({evidence.mac})"
        name = one_line(left.settings.name)
        return f"{name} ({evidence.client_id}, {evidence.mac})"

    async def async_step_where(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask where the socket is to be found."""
        errors: dict[str, str] = {}
        address = None
        if user_input is not None:
            if typed := user_input.get(CONF_ADDRESS, "").strip():
                if (address := socket_address(typed)) is None:
                    errors[CONF_ADDRESS] = "socket_address_invalid"
                else:
                    self.web_password(address, user_input)
                    errors = await self._find_address(address)
            else:
                errors = await self._find_topic(
                    tidy(user_input.get(CONF_CLIENT_ID, ""))
                )
            if not errors:
                await self._take_found()
                return await self.async_step_read_pins()
        return self.async_show_form(
            step_id="where",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(
                    {
                        probatio.Optional(CONF_ADDRESS): TextSelector(),
                        probatio.Optional(CONF_CLIENT_ID): TextSelector(),
                        probatio.Optional(CONF_PASSWORD): PASSWORD,
                    }
                ),
                without(user_input or {}, CONF_PASSWORD),
            ),
            errors=errors,
            description_placeholders=self.placeholders
            | {"web_password": self.kept(web_page(address), CONF_PASSWORD)},
        )

    async def _find_address(self, address: str) -> dict[str, str]:
        """Ask over HTTP who it is, and over MQTT whether it is on our broker."""
        password = self.web_password(address)
        try:
            answers = await discovery.async_ask(self.hass, address, password)
        except PasswordError:
            wrong = "socket_password" if password else "socket_needs_password"
            return {CONF_PASSWORD: wrong}
        except ConsoleError as err:
            LOGGER.debug("Socket at %s: %s", address, err)
            return {CONF_ADDRESS: console_error(err)}
        try:
            evidence = await discovery.async_gather(self.hass, answers.client_id)
        except NotConnectedError:
            return {"base": "mqtt_disconnected"}
        if evidence.mac is None or format_mac(evidence.mac) != format_mac(answers.mac):
            return {CONF_ADDRESS: "socket_not_on_broker"}
        evidence.given_address = address
        evidence.chip = answers.chip
        self.session.evidence = evidence
        return {}

    async def _find_topic(self, client_id: str) -> dict[str, str]:
        if not client_id:
            return {"base": "socket_missing"}
        if problem := topic_problem(client_id, has_it=True):
            return {CONF_CLIENT_ID: problem}
        try:
            evidence = await discovery.async_gather(self.hass, client_id)
        except NotConnectedError:
            return {"base": "mqtt_disconnected"}
        if not evidence.is_socket:
            return {CONF_CLIENT_ID: "socket_silent"}
        self.session.evidence = evidence
        return {}

    async def _take_found(self) -> None:
        """Refuse a socket that is here already; its entry follows it, if that may be."""
        assert self.session.evidence is not None
        assert self.session.evidence.mac is not None
        mac, client_id = (
            format_mac(self.session.evidence.mac),
            self.session.evidence.client_id,
        )
        if (entry := async_entry_of(self.hass, mac=mac)) is not None:
            async_follow(
                self.hass,
                entry,
                client_id=client_id,
                address=self.session.evidence.address,
            )
            await async_tell_of_twin(self.hass, entry, client_id)
        # A card of the same socket may be there; it goes when the entry is made.
        by_hand = self.source == SOURCE_USER
        await self.async_set_unique_id(
            async_identity_of(self.hass, mac, client_id),
            raise_on_progress=not by_hand,
        )
        self._abort_if_unique_id_configured()
        self.abort_if_topic_taken(client_id)
        self.session.unfinished = await self._choices_of(self.session.evidence)

    async def _choices_of(self, evidence: Evidence) -> UnfinishedSocket | None:
        """Return what a wizard that was left had chosen for a socket, if it is this one."""
        assert evidence.mac is not None
        found = await UnfinishedSockets(self.hass).async_find(format_mac(evidence.mac))
        written = found is not None and found.settings.client_id == evidence.client_id
        return found if written else None

    async def async_step_read_pins(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask the socket for its pins over HTTP, with a password where it has one."""
        assert self.session.evidence is not None
        errors: dict[str, str] = {}
        build = self.session.evidence.build or ""
        if is_before(build, _ANSWERS_SINCE):
            return self.async_abort(
                reason="release_too_old",
                description_placeholders={"version": version_of(build) or ""},
            )
        if self.session.unfinished is not None:
            return await self._add_unfinished(self.session.unfinished)
        if (address := self.session.evidence.address) is None:
            return self.show_page("no_pins_closed")
        password = self.web_password(address, user_input)
        try:
            answers = await discovery.async_ask(self.hass, address, password)
        except PasswordError:
            if password is not None:
                errors[CONF_PASSWORD] = "socket_password"
        except ConsoleError as err:
            LOGGER.debug("Pins of %s: %s", self.session.evidence.client_id, err)
            return self.show_page("no_pins_closed")
        else:
            if self._is_found(answers):
                return await self._take_answers(answers)
            LOGGER.debug("Another device is at %s", address)
            return self.show_page("no_pins_closed")
        return self.async_show_form(
            step_id="read_pins",
            data_schema=WEB_PASSWORD,
            errors=errors,
            description_placeholders=self.placeholders,
        )

    def _is_found(self, answers: Answers) -> bool:
        """Return whether it is the socket that was found that answers at its address."""
        found = self.session.evidence
        assert found is not None
        return answers.is_of(found.mac or "", found.client_id)

    async def _add_unfinished(self, unfinished: UnfinishedSocket) -> ConfigFlowResult:
        """Add it as its wizard would have done, with the pins that it has now."""
        assert self.session.evidence is not None
        assert self.session.evidence.mac is not None
        self.session.profile = unfinished.profile
        if (address := self.session.evidence.address) is not None:
            answers: Answers | None
            try:
                answers = await discovery.async_ask(
                    self.hass, address, self.web_password(address)
                )
            except ConsoleError as err:
                LOGGER.debug("Pins of %s: %s", self.session.evidence.client_id, err)
                answers = None
            if answers is not None and self._is_found(answers):
                self.session.evidence.chip = answers.chip
                if not pin_form.problem_of(answers.profile):
                    self.session.profile = replace(
                        answers.profile, module=unfinished.profile.module
                    )
        data = discovery.entry_data(
            self.session.evidence,
            self.session.profile,
            tuned=True,
            undo={},
            in_kwh=False,
        )
        data |= {
            CONF_GROUP: unfinished.settings.group,
            CONF_MODEL: unfinished.settings.model or None,
            CONF_TIME_ZONE: unfinished.settings.time_zone,
        }
        added = self.async_create_entry(title=unfinished.settings.name, data=data)
        await UnfinishedSockets(self.hass).async_forget(self.session.evidence.mac)
        return added

    async def _take_answers(self, answers: Answers) -> ConfigFlowResult:
        assert self.session.evidence is not None
        self.session.evidence.chip = answers.chip
        self.session.take_pins(answers.profile, "socket")
        self._proposal = answers.proposal()
        self._asked = answers.flags is not None
        self._labels = answers.labels
        self._group = answers.group
        if pin_form.problem_of(answers.profile):
            return self.show_page("pins_incomplete")
        return await self.async_step_tune()

    async def async_step_pins_guess(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Listen to the socket for a minute and take what it talks about."""
        return await self.async_try("pins_guess", self._guess, again="no_pins_closed")

    async def _guess(self) -> str:
        assert self.session.evidence is not None
        evidence = await discovery.async_gather(
            self.hass, self.session.evidence.client_id, parts=True
        )
        profile = evidence.guess_profile()
        self.session.take_pins(profile, "guess")
        self.session.evidence.without_get |= evidence.without_get
        return "pins_incomplete" if pin_form.problem_of(profile) else "pins"

    async def async_step_tune(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Offer the changes that make the socket and Home Assistant fit better."""
        assert self.session.evidence is not None
        errors: dict[str, str] = {}
        if user_input is None:
            if not self._asked:
                self._proposal = self.session.evidence.proposal()
            if not (self._proposal.tunings or self._proposal.left_out):
                return self._create(())
        else:
            errors = await self._tune(user_input.get(CONF_CHANGES, []))
            if not errors:
                return self._create(self._tuned)
        proposal = self._proposal.without(self._tuned)
        return self.async_show_form(
            step_id="tune",
            data_schema=tune_schema(proposal.tunings),
            errors=errors,
            description_placeholders=self.placeholders
            | {"commands": proposal_text(proposal, self.word)},
        )

    async def _tune(self, chosen: Collection[str]) -> dict[str, str]:
        assert self.session.evidence is not None
        console = None
        if self._asked and (address := self.session.evidence.address) is not None:
            console = console_at(self.hass, address, self.web_password(address))
            try:
                # Another one may have got its address while somebody thought about it.
                await console.check_whose(
                    format_mac(self.session.evidence.mac or ""),
                    self.session.evidence.client_id,
                )
            except ConsoleError as err:
                LOGGER.debug("Tuning of %s: %s", self.session.evidence.client_id, err)
                return {"base": "tuning_stopped"}
        for tuning in self._proposal.tunings:
            if tuning.step not in chosen or tuning in self._tuned:
                continue
            try:
                await discovery.async_tune(
                    self.hass,
                    self.session.evidence.client_id,
                    tuning,
                    console,
                    build=self.session.evidence.build,
                )
            except NotConnectedError:
                return {"base": "mqtt_disconnected"}
            except StartupChangedError:
                return {"base": "startup_changed"}
            except ConsoleError as err:
                LOGGER.debug("Tuning of %s: %s", self.session.evidence.client_id, err)
                return {"base": "tuning_stopped"}
            self._tuned += (tuning,)
        return {}

    def _counts_in_kwh(self, done: Collection[Tuning]) -> bool | None:
        if not self._asked:
            return None
        steps = {tuning.step for tuning in self._proposal.tunings}
        return TuneStep.ENERGY_IN_KWH in steps - {tuning.step for tuning in done}

    def _create(self, done: Collection[Tuning]) -> ConfigFlowResult:
        assert self.session.evidence is not None
        assert self.session.profile is not None
        data = discovery.entry_data(
            self.session.evidence,
            self.session.profile,
            # Where it could be asked and nothing or everything was to be done.
            tuned=self._asked and self._proposal.tuned(done),
            undo=undo_data({}, done),
            in_kwh=self._counts_in_kwh(done),
            labels=self._labels,
            group=self._group,
        )
        return self.async_create_entry(title=self.session.evidence.client_id, data=data)

    @callback
    @override
    def async_remove(self) -> None:
        """Make room for somebody else who was discovered."""
        super().async_remove()
        if self.source == SOURCE_MQTT:
            # The manager counts this flow until it is through.
            self.hass.loop.call_soon(strangers(self.hass).call_next)

    async def async_step_mqtt(
        self, discovery_info: MqttServiceInfo
    ) -> ConfigFlowResult:
        """Look at a message on a build topic; anything but a new socket ends at once."""
        client_id = discovery.client_id_of(discovery_info)
        if client_id is None:
            return self.async_abort(reason="not_openbeken")
        if async_entry_of(self.hass, client_id=client_id) is not None:
            return self.async_abort(reason="already_configured")
        with strangers(self.hass).question(client_id, discovery_info) as may_ask:
            if not may_ask:
                return self.async_abort(reason="already_in_progress")
            try:
                evidence = await discovery.async_gather(self.hass, client_id)
            except NotConnectedError:
                return self.async_abort(reason="no_broker")
            if not evidence.is_socket:
                return self.async_abort(reason="not_openbeken")
            # It takes the place of a question until it has that of a card.
            return await self._show_discovered(evidence)

    async def async_step_dhcp(
        self, discovery_info: DhcpServiceInfo
    ) -> ConfigFlowResult:
        """Take the new address of a known socket, or ask a new host who it is."""
        mac = format_mac(discovery_info.macaddress)
        if is_generic_mac(mac):
            # It may be any of those that lost their RF data. They are found by their topics.
            return self.async_abort(reason="not_openbeken")
        await self.async_set_unique_id(mac)
        self._abort_if_unique_id_configured(updates={CONF_ADDRESS: discovery_info.ip})
        client_id = await self._client_id_of(discovery_info)
        if client_id is None:
            return self.async_abort(reason="not_openbeken")
        try:
            evidence = await discovery.async_gather(self.hass, client_id)
        except NotConnectedError:
            return self.async_abort(reason="no_broker")
        if not evidence.is_socket or format_mac(evidence.mac or "") != self.unique_id:
            return self.async_abort(reason="not_openbeken")
        return await self._show_discovered(evidence)

    async def _client_id_of(self, found: DhcpServiceInfo) -> str | None:
        """Ask a new host for its client id; a closed one probably has that of its name."""
        try:
            info = await console_at(self.hass, found.ip).info()
        except PasswordError, UnreachableError:
            return client_id_of_host(found.hostname)
        except ConsoleError:
            return None
        return info.client_id

    async def _show_discovered(self, evidence: Evidence) -> ConfigFlowResult:
        await self.async_prepare()
        self.session.evidence = evidence
        await self._take_found()
        self.context["title_placeholders"] = {"name": one_line(self._name)}
        if self.session.unfinished is not None:
            return await self.async_step_reported_in()
        return await self.async_step_discovery_confirm()

    async def async_step_reported_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether a socket that was flashed here is to be added after all."""
        if user_input is not None:
            return await self.async_step_read_pins()
        self._set_confirm_only()
        return self.async_show_form(
            step_id="reported_in", description_placeholders=self.placeholders
        )

    async def async_step_discovery_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether the socket that was discovered is to be added."""
        if user_input is not None:
            return await self.async_step_read_pins()
        self._set_confirm_only()
        return self.async_show_form(
            step_id="discovery_confirm", description_placeholders=self.placeholders
        )
