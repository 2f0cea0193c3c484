"""Firmware of one's own, and the web password that updates of a socket need."""

import asyncio
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlow
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.selector import FileSelector, FileSelectorConfig
from homeassistant.helpers.translation import async_get_translations
import probatio

from ...const import CONF_ADDRESS, DOMAIN
from ...live.console import async_console
from ...live.state import identity_of_entry
from ...network.consoles import keep_password
from ...network.firmware import FIRMWARE
from ...pyopenbk.foreign_text import markdown_text
from ...pyopenbk.obk.builds import chip_of, version_of
from ...pyopenbk.obk.console import PasswordError, UnreachableError
from ...updating.record import UpdateFailed
from ...updating.updates import UPDATES, SocketUpdate
from .. import uploads
from ..forms import PASSWORD
from ..talking import TalkingFlow

CONF_FILE: Final = "file"

_SCHEMA: Final = probatio.Schema(
    {
        probatio.Optional(CONF_FILE): FileSelector(FileSelectorConfig(accept=".rbl")),
        probatio.Optional(CONF_PASSWORD): PASSWORD,
    }
)


class FirmwareSteps(TalkingFlow, OptionsFlow):
    """A file goes through the same checks as a release; closing the dialog does not end it."""

    _file: bytes = b""
    _installing: asyncio.Task[None] | None = None
    _failure: UpdateFailed | None = None

    async def async_step_firmware(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for a file, or for the password without which nothing can be sent."""
        if self.config_entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        errors: dict[str, str] = {}
        if user_input is not None:
            password, file = user_input.get(CONF_PASSWORD), user_input.get(CONF_FILE)
            if not password and not file:
                errors["base"] = "nothing_chosen"
            elif password and (error := await self._try_password(password)):
                errors[CONF_PASSWORD] = error
            elif not file:
                return self.async_abort(reason="web_password_kept")
            elif error := await self._take_file(file):
                errors[CONF_FILE] = error
            else:
                return await self.async_step_firmware_install()
        build = self.config_entry.runtime_data.build
        known = self.hass.data[FIRMWARE].known(chip_of(build))
        return self.async_show_form(
            step_id="firmware",
            data_schema=_SCHEMA,
            errors=errors,
            description_placeholders={
                "name": markdown_text(self.config_entry.title),
                "installed": markdown_text(version_of(build) or "?"),
                "newest": markdown_text(known[0].version)
                if known
                else self.word("release", "none"),
            },
        )

    async def _try_password(self, password: str) -> str | None:
        """Keep a password that opens the web page, until Home Assistant stops."""
        entry = self.config_entry
        address = entry.data[CONF_ADDRESS]
        try:
            await async_console(self.hass, entry, password)
        except PasswordError:
            return "socket_password"
        except UnreachableError:
            return "socket_unreachable"
        except ServiceValidationError:
            return "another_socket"
        keep_password(self.hass, address, password)
        entry.runtime_data.readback.begin()
        # An update may wait for this to be able to put back what the socket had.
        self.hass.data[UPDATES].async_put_back(entry)
        return None

    async def _take_file(self, file_id: str) -> str | None:
        try:
            self._file = await uploads.async_read(self.hass, file_id)
        except uploads.UploadGoneError:
            return "upload_gone"
        except uploads.UploadTooLargeError:
            return "firmware_too_large"
        return None

    async def async_step_firmware_install(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show how far the update is."""
        if self._installing is None:
            self._installing = self.hass.async_create_background_task(
                self._install(), f"{DOMAIN} file for {self.config_entry.title}"
            )
        if self._installing.done():
            return self.async_show_progress_done(next_step_id="firmware_result")
        return self.async_show_progress(
            step_id="firmware_install",
            progress_action="firmware_install",
            progress_task=self._installing,
            description_placeholders={"name": markdown_text(self.config_entry.title)},
        )

    async def _install(self) -> None:
        stop = self._update.listen(self._show_progress)
        try:
            await self.hass.data[UPDATES].async_install_file(
                self.config_entry, self._file
            )
        except UpdateFailed as err:
            self._failure = err
        finally:
            stop()

    @callback
    def _show_progress(self) -> None:
        if (fraction := self._update.fraction) is not None:
            self.async_update_progress(fraction)

    async def async_step_firmware_result(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say how it ended."""
        if self._failure is None:
            version = markdown_text(self._update.installed or "?")
            return self.async_abort(
                reason="firmware_installed",
                description_placeholders={"version": version},
            )
        return self.async_abort(
            reason="firmware_not_installed",
            description_placeholders={"reason": await self._text_of(self._failure)},
        )

    async def _text_of(self, err: UpdateFailed) -> str:
        """Return what an error says, in the system's language."""
        texts = await async_get_translations(
            self.hass, self.hass.config.language, "exceptions", [DOMAIN]
        )
        text = texts[f"component.{DOMAIN}.exceptions.{err.translation_key}.message"]
        names = err.translation_placeholders or {}
        return text.format(
            **{key: markdown_text(value) for key, value in names.items()}
        )

    @property
    def _update(self) -> SocketUpdate:
        return self.hass.data[UPDATES].of(identity_of_entry(self.config_entry))
