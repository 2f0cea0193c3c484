"""Which firmware is written: a release or a file, and nothing that does not fit this chip."""

from typing import Any, Final, override

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.data_entry_flow import section
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import (
    FileSelector,
    FileSelectorConfig,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import probatio

from ..const import LOGGER
from ..pyopenbk.errors import OpenBekenError
from ..pyopenbk.obk import image
from ..pyopenbk.obk.image import FirmwareImage
from ..pyopenbk.obk.releases import DEFAULT_INDEX, Release, ReleaseIndex
from . import uploads
from .base import WizardFlow
from .failures import firmware_error

CONF_RELEASE: Final = "release"
CONF_FILE: Final = "file"
CONF_SOURCE: Final = "source"
CONF_INDEX: Final = "index_address"


class FirmwareSteps(WizardFlow):
    """The steps that end with an image that was checked against this chip."""

    image: FirmwareImage | None = None
    _index_address: str = DEFAULT_INDEX
    _releases: tuple[Release, ...] = ()
    _chosen: Release | None = None
    _wanted_release: str | None = None
    """The version that an earlier wizard chose for this socket."""
    _firmware_error: str | None = None

    @property
    @override
    def placeholders(self) -> dict[str, str]:
        """Add what is known of the firmware."""
        return super().placeholders | {
            "firmware": (self.image.version if self.image else None) or "?",
            "index_address": self._index_address,
        }

    async def async_step_releases(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Fetch the list of releases."""
        return await self.async_run("releases", self._fetch_releases)

    async def _fetch_releases(self) -> str:
        try:
            self._releases = tuple(await self._index.list())
        except OpenBekenError as err:
            LOGGER.debug("List of releases: %s", err)
            self._releases = ()
            self._firmware_error = firmware_error(err)
        wanted, self._wanted_release = self._wanted_release, None
        self._chosen = self._release(wanted)
        return "download" if self._chosen else "firmware"

    def _release(self, version: str | None) -> Release | None:
        return next(
            (found for found in self._releases if found.version == version), None
        )

    @property
    def _index(self) -> ReleaseIndex:
        return ReleaseIndex(async_get_clientsession(self.hass), self._index_address)

    async def async_step_firmware(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose a release or upload a file."""
        errors: dict[str, str] = {}
        if self._firmware_error is not None:
            errors["base"], self._firmware_error = self._firmware_error, None
        if user_input is not None:
            address = user_input[CONF_SOURCE][CONF_INDEX].strip()
            if address != self._index_address:
                self._index_address = address
                return await self.async_step_releases()
            if CONF_FILE in user_input:
                self._chosen = None
                if (error := await self._take_file(user_input[CONF_FILE])) is None:
                    return await self.async_step_write_confirm()
                errors[CONF_FILE] = error
            elif CONF_RELEASE in user_input:
                self._chosen = self._release(user_input[CONF_RELEASE])
                return await self.async_step_download()
            else:
                errors["base"] = "firmware_missing"
        return self.async_show_form(
            step_id="firmware",
            data_schema=self._firmware_schema(),
            errors=errors,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    def _firmware_schema(self) -> probatio.Schema:
        fields: dict[Any, Any] = {}
        if self._releases:
            newest = self._releases[0].version
            fields[
                probatio.Optional(CONF_RELEASE, description={"suggested_value": newest})
            ] = SelectSelector(
                SelectSelectorConfig(
                    options=[
                        SelectOptionDict(value=release.version, label=_label(release))
                        for release in self._releases
                    ],
                    mode=SelectSelectorMode.DROPDOWN,
                )
            )
        fields[probatio.Optional(CONF_FILE)] = FileSelector(
            FileSelectorConfig(accept=".bin,.rbl,application/octet-stream")
        )
        fields[probatio.Required(CONF_SOURCE)] = section(
            probatio.Schema(
                {
                    probatio.Required(
                        CONF_INDEX, default=self._index_address
                    ): TextSelector(TextSelectorConfig(type=TextSelectorType.URL))
                }
            ),
            {"collapsed": True},
        )
        return probatio.Schema(fields)

    async def _take_file(self, file_id: str) -> str | None:
        try:
            return await self._check(await uploads.async_read(self.hass, file_id))
        except uploads.UploadGoneError:
            return "upload_gone"
        except uploads.UploadTooLargeError:
            return "firmware_too_large"

    async def _check(self, data: bytes) -> str | None:
        """Take an image that fits this chip; return the key of why it does not."""
        try:
            found = await self.hass.async_add_executor_job(image.recognise, data)
        except OpenBekenError as err:
            LOGGER.debug("Firmware refused: %s", err)
            return firmware_error(err)
        self.image = found
        return None

    async def async_step_download(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Download the chosen release and check it."""
        return await self.async_run("download", self._download)

    async def _download(self) -> str:
        assert self._chosen is not None
        try:
            data = await self._index.download(self._chosen.asset)
        except OpenBekenError as err:
            LOGGER.debug("Download: %s", err)
            self._firmware_error = firmware_error(err)
            return "firmware"
        self._firmware_error = await self._check(data)
        return "firmware" if self._firmware_error else "write_confirm"

    async def async_step_write_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with writing."""
        raise NotImplementedError


def _label(release: Release) -> str:
    return f"{release.version} · {release.published:%Y-%m-%d}"
