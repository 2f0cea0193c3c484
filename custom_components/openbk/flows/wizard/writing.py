"""From the last confirmation to a chip that holds what was confirmed."""

from dataclasses import replace
from typing import Any, Final, override

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.helpers.selector import BooleanSelector
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import probatio

from ...const import DOMAIN
from ...issues.half_written import async_review_half_written
from ...issues.unfinished import UnfinishedSocket, UnfinishedSockets
from ...pyopenbk.backups import Contents
from ...pyopenbk.errors import OpenBekenError
from ...pyopenbk.flashing import ChipState, Comparison
from ...pyopenbk.foreign_text import markdown_text
from ...pyopenbk.obk import config_sector
from ...pyopenbk.obk.setup import WifiNetwork
from ...pyopenbk.obk.takeover import Takeover
from . import kept
from .base import WizardFlow

CONF_ANOTHER_FIRMWARE: Final = "another_firmware"
# What decides whether a socket reaches the broker, and so whether a written one is as it should be.
_NETWORK: Final = (
    "wifi_ssid",
    "wifi_password",
    "wifi_ssid2",
    "wifi_password2",
    "mqtt_host",
    "mqtt_port",
    "mqtt_username",
    "mqtt_password",
    "mqtt_client_id",
)


class WriteSteps(WizardFlow):
    """The steps that change the chip, and those that compare it with what was written."""

    @property
    def write_placeholders(self) -> dict[str, str]:
        """Return what will be written."""
        settings = self.session.settings
        second = settings.wifi2 or WifiNetwork()
        return {
            "name": markdown_text(settings.name),
            "client_id": markdown_text(settings.client_id),
            "wifi": markdown_text(
                " / ".join(filter(None, (settings.wifi.ssid, second.ssid)))
            ),
            "broker": markdown_text(f"{settings.broker.host}:{settings.broker.port}"),
        }

    async def async_step_write_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Sum up; from here on the chip is changed."""
        if user_input is not None:
            if user_input.get(CONF_ANOTHER_FIRMWARE):
                return await self.async_step("another_firmware")
            # Another wizard or a discovery of the same socket must not finish before this one.
            await self.async_set_unique_id(self.identity, raise_on_progress=False)
            self.session.expected_macs = frozenset({self.session.written_mac})
            if self.session.assembled:
                return await self.async_step_rewire()
            if self._job is None:
                return await self.async_step("search")
            return await self.async_step_write()
        try:
            self.session.takeover = await self.hass.async_add_executor_job(
                self._find_takeover
            )
        except OpenBekenError as err:
            # What does not fit is no use to sum up.
            page = self.page_after("write_confirm", err)
            await self.async_let_go()
            return self.show_page(page)
        fields: dict[Any, Any] = {}
        if self.session.chip_state is not ChipState.WRITTEN:
            # Once it is on the chip, only settings are corrected.
            another = probatio.Required(CONF_ANOTHER_FIRMWARE, default=False)
            fields[another] = BooleanSelector()
        return self.async_show_form(
            step_id="write_confirm",
            data_schema=probatio.Schema(fields),
            description_placeholders=self.placeholders
            | {"takeover": self._takeover_text},
            last_step=False,
        )

    def _find_takeover(self) -> Takeover | None:
        """Return what the socket keeps of what it had; reads a file.

        Raises OpenBekenError for settings that do not fit into the socket.
        """
        self._configuration()
        assert self.session.profile is not None
        return self.session.settings.takeover(
            self.session.profile,
            self.session.written_mac,
            dt_util.utcnow(),
            self.session.version,
        )

    def _configuration(self) -> bytes:
        """Return the configuration sector that is to be written; raises and reads the same."""
        assert self.session.profile is not None
        return replace(self.session.settings, chip=self.session.chip).configuration(
            self.session.profile,
            self.session.written_mac,
            dt_util.utcnow(),
            self.session.version,
        )

    @property
    def _takeover_text(self) -> str:
        if self.session.takeover is not None:
            return kept.markdown(self.session.takeover, self.word)
        if left_out := self.session.left_out:
            return kept.left_out_by_template(left_out, self.word)
        assert self.session.analysis is not None
        had = self.session.analysis.state is Contents.OPENBEKEN
        fresh = had and self.session.chip_state is ChipState.UNTOUCHED
        return self.word("takeover", "unreadable") if fresh else ""

    async def async_step_write(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Write application and configuration, prove both, and start the socket."""
        return await self.async_run("write", self._write)

    async def _write(self) -> str:
        assert self.session.image is not None
        assert self.session.profile is not None
        assert self.session.analysis is not None
        config = await self.hass.async_add_executor_job(self._configuration)
        await UnfinishedSockets(self.hass).async_remember(
            self.session.written_mac,
            UnfinishedSocket(
                profile=self.session.profile,
                settings=self.session.settings,
                release=self.session.release,
            ),
            self.session.firmware,
        )
        self.session.written_config = config
        self.session.host_name = config_sector.parse(config).long_name
        # Without MQTT nothing is written: nobody would hear of what came of it.
        await self.async_start_waiting()
        if (
            self.session.chip_state is ChipState.WRITTEN
            and self.session.analysis.state is Contents.OPENBEKEN
        ):
            # Only settings were corrected; the application is the one that was written before.
            await self.job.write_config(config)
        else:
            await self.job.write(self.session.image, config)
        self._note_chip_state()
        await async_review_half_written(self.hass)
        await self.async_forget_update()
        await self.job.start()
        await self.async_close_job()
        return "reassemble"

    @override
    async def async_chip_changes(self) -> None:
        """Tell of a chip that is half-written, also when Home Assistant itself goes now."""
        # Without an entry nothing of this integration may be loaded, and a repair needs it.
        await async_setup_component(self.hass, DOMAIN, {})
        await async_review_half_written(self.hass)

    @override
    async def async_left(self) -> None:
        """Tell of a chip that is half-written."""
        await async_review_half_written(self.hass)

    async def async_step_change_settings(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Correct Wi-Fi and broker and write the configuration over UART again."""
        return await self.async_step("wifi")

    async def async_step_read_back(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Read over UART whether the chip still holds what was written."""
        self.session.reading_back = True
        return await self.async_step_rewire()

    async def async_step_rewire(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Have the socket taken off mains before anybody touches a wire."""
        if user_input is not None:
            self.session.assembled = False
        return await self.async_tell("rewire", user_input, "search")

    async def async_step_compare(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Compare the chip with what was written."""
        return await self.async_run("compare", self._compare)

    async def _compare(self) -> str:
        assert self.session.image is not None
        await self.job.identify()
        self.session.connected_mac = self.job.mac
        if self.job.mac != self.session.written_mac:
            return "other_chip"
        verdict = self._judge(
            await self.job.compare(self.session.image, self.session.written_config)
        )
        self.session.reading_back = False
        if verdict == "read_back_same":
            await self.job.start()
        await self.async_close_job()
        return verdict

    def _judge(self, found: Comparison) -> str:
        """Return the page for what is on the chip."""
        if not found.application:
            self.session.chip_state = ChipState.HALF_WRITTEN
            return "read_back_application"
        written = config_sector.parse(self.session.written_config)
        if found.config is None or any(
            getattr(found.config, name) != getattr(written, name) for name in _NETWORK
        ):
            return "read_back_settings"
        return "read_back_same"

    async def async_step_rewrite(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Write again what is not right; the chip is still in its boot ROM."""
        return await self.async_step("search")
