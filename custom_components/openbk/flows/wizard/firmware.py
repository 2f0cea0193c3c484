"""Which firmware is written: a release or a file, and nothing that does not fit this chip."""

from typing import Any, Final

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
from homeassistant.util import dt as dt_util
import probatio

from ...const import LOGGER
from ...network.firmware import (
    CONF_INDEX,
    async_download,
    async_index_address,
    async_keep_index_address,
    async_trust,
)
from ...pyopenbk.errors import OpenBekenError
from ...pyopenbk.foreign_text import markdown_text
from ...pyopenbk.obk.image import WrongChipError
from ...pyopenbk.obk.releases import (
    GUIDE_VERSION,
    RateLimitedError,
    Release,
    ReleaseError,
    ReleaseIndex,
    SentElsewhereError,
    lacks,
    parse_version,
    wire_kind,
)
from .. import uploads
from ..forms import folded, opened
from .base import WizardFlow
from .failures import firmware_error

CONF_RELEASE: Final = "release"
CONF_FILE: Final = "file"
CONF_SOURCE: Final = "source"

_LINES_OF_NOTES: Final = 30
_LONGEST_LINE: Final = 160
_NOTES_LISTED: Final = 5


class FirmwareSteps(WizardFlow):
    """The steps that end with an image that was checked against this chip."""

    _index_address: str = ""
    _index: ReleaseIndex | None = None
    _releases: tuple[Release, ...] = ()
    _chosen: Release | None = None
    _firmware_error: str | None = None
    _asks: bool = False
    """The person wants to choose."""
    _file_chip: str = "?"
    """Which chip a refused firmware is for."""
    _answers_again: str = ""
    _sent_to: str = "?"
    """Where the server wanted to send on to."""

    @property
    def firmware_placeholders(self) -> dict[str, str]:
        """Return what is known of the firmware."""
        return {
            "firmware": (self.session.image.version if self.session.image else None)
            or "?",
            "firmware_notes": self._firmware_notes(),
            "release_notes": self._release_notes(),
            "file_chip": self._file_chip,
            "image_kind": wire_kind(self.session.chip).upper(),
            "index_address": self._index_address,
            "until": self._answers_again,
            "elsewhere": markdown_text(self._sent_to),
        }

    def _firmware_notes(self) -> str:
        """Return what a person should know of the chosen firmware, as Markdown."""
        if self.session.image is None:
            return ""
        version = self.session.image.version
        lines = [self.word("lack", lack) for lack in lacks(version or "")]
        lines += [
            self.word("unproven", question)
            for question in sorted(self.session.image.unproven)
        ]
        if self._chosen is not None and self._chosen.uart.digest is None:
            lines.append(self.word("unproven", "digest"))
        if self._is_downgrade(version):
            lines.append(self.word("unproven", "downgrade"))
        text = "\n".join(f"- {line}" for line in lines)
        if self._chosen is not None and self._chosen.notes:
            text += "\n\n" + _notes_of(
                self.word("release", "notes"), self._chosen.notes
            )
        return text

    def _release_notes(self) -> str:
        """Return what the newest releases say of themselves, folded, as Markdown."""
        return "\n\n".join(
            _notes_of(
                f"{self.word('release', 'news')} {release.version}", release.notes
            )
            for release in self._releases[:_NOTES_LISTED]
            if release.notes
        )

    def _is_downgrade(self, version: str | None) -> bool:
        present = parse_version(
            (self.session.analysis and self.session.analysis.version) or ""
        )
        chosen = parse_version(version or "")
        return present is not None and chosen is not None and chosen < present

    async def async_step_releases(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Fetch the list of releases."""
        return await self.async_run("releases", self._fetch_releases)

    async def _fetch_releases(self) -> str:
        if not self._index_address:
            self._index_address = await async_index_address(self.hass)
        self._index = ReleaseIndex(
            async_get_clientsession(self.hass),
            self._index_address,
            chip=self.session.chip,
        )
        try:
            self._releases = await self._list(self._index)
        except ReleaseError as err:
            self._releases = ()
            self._note_firmware_error(err)
        else:
            # Who keeps releases on a server of their own says so once.
            await async_keep_index_address(self.hass, self._index_address)
        wanted, self.session.release = self.session.release, None
        if self._asks:
            return "firmware"
        # Who has not begun with another release gets the newest, and may ask for the others.
        version = wanted or (self._newest.version if self._newest else None)
        self._chosen = self._release_named(version)
        return "download" if self._chosen else "firmware"

    @property
    def _newest(self) -> Release | None:
        """Return the newest release that is no trial version."""
        return next((found for found in self._releases if not found.prerelease), None)

    async def async_step_another_firmware(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what else there is."""
        self._asks = True
        return await self.async_step_releases()

    async def _list(self, index: ReleaseIndex) -> tuple[Release, ...]:
        """Return the newest releases, and the one of the guide that many people follow."""
        releases = tuple(await index.list())
        for version in (GUIDE_VERSION, self.session.release):
            if version and all(found.version != version for found in releases):
                try:
                    releases += (await index.get(version),)
                except ReleaseError as err:
                    LOGGER.debug("Release %s: %s", version, err)
        return releases

    def _release_named(self, version: str | None) -> Release | None:
        return next(
            (found for found in self._releases if found.version == version), None
        )

    def _note_firmware_error(self, err: OpenBekenError) -> None:
        LOGGER.debug("Firmware: %s", err)
        self._firmware_error = firmware_error(err)
        match err:
            case RateLimitedError():
                self._answers_again = f"{dt_util.as_local(err.until):%H:%M}"
            case SentElsewhereError():
                self._sent_to = err.host

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
                self._index_address, self._asks = address, True
                return await self.async_step_releases()
            if (file := user_input[CONF_SOURCE].get(CONF_FILE)) is not None:
                self._chosen = self.session.release = None
                if (error := await self._take_file(file)) is None:
                    return await self.async_step("write_confirm")
                errors["base"] = error
            elif CONF_RELEASE in user_input:
                self._chosen = self._release_named(user_input[CONF_RELEASE])
                return await self.async_step_download()
            else:
                errors["base"] = "firmware_missing"
        return self.async_show_form(
            step_id="firmware",
            data_schema=opened(self._firmware_schema(), CONF_SOURCE)
            if errors or not self._releases
            else self._firmware_schema(),
            errors=errors,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    def _firmware_schema(self) -> probatio.Schema:
        fields: dict[Any, Any] = {}
        if self._releases:
            suggested = self._chosen or self._newest or self._releases[0]
            fields[
                probatio.Optional(
                    CONF_RELEASE, description={"suggested_value": suggested.version}
                )
            ] = SelectSelector(
                SelectSelectorConfig(
                    options=[
                        SelectOptionDict(
                            value=release.version, label=self._label(release)
                        )
                        for release in self._releases
                    ],
                    mode=SelectSelectorMode.DROPDOWN,
                )
            )
        # Most people need neither; a large field for a file looks as if one had to be found.
        fields[probatio.Required(CONF_SOURCE)] = section(
            probatio.Schema(
                {
                    probatio.Optional(CONF_FILE): FileSelector(
                        FileSelectorConfig(accept=".bin,.rbl,application/octet-stream")
                    ),
                    probatio.Required(
                        CONF_INDEX, default=self._index_address
                    ): TextSelector(TextSelectorConfig(type=TextSelectorType.URL)),
                }
            ),
            {"collapsed": True},
        )
        return probatio.Schema(fields)

    def _label(self, release: Release) -> str:
        parts = [release.version, f"{release.published:%Y-%m-%d}"]
        if release.prerelease:
            parts.append(self.word("release", "prerelease"))
        if release.version == GUIDE_VERSION:
            parts.append(self.word("release", "guide"))
        return " · ".join(parts)

    async def _take_file(self, file_id: str) -> str | None:
        try:
            return await self._take_firmware(
                await uploads.async_read(self.hass, file_id)
            )
        except uploads.UploadGoneError:
            return "upload_gone"
        except uploads.UploadTooLargeError:
            return "firmware_too_large"

    async def _take_firmware(self, data: bytes) -> str | None:
        """Take an image that can be written to this chip; return the key of why it cannot."""
        try:
            await self.async_take_firmware(data)
        except OpenBekenError as err:
            LOGGER.debug("Firmware refused: %s", err)
            if isinstance(err, WrongChipError):
                self._file_chip = err.chip
            return firmware_error(err)
        return None

    async def async_step_download(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Download the chosen release and check it."""
        return await self.async_run("download", self._download)

    async def _download(self) -> str:
        assert self._chosen is not None
        assert self._index is not None
        asset = self._chosen.uart
        try:
            data = await async_download(
                self.hass,
                self._index,
                asset,
                lambda done, total: self.show_fraction(done / max(total, 1)),
            )
        except ReleaseError as err:
            self._note_firmware_error(err)
            return "firmware"
        if (error := await self._take_firmware(data)) is not None:
            self._firmware_error = error
            return "firmware"
        self.session.release = self._chosen.version
        await async_trust(self.hass, asset, data)
        return "write_confirm"


def _notes_of(summary: str, notes: str) -> str:
    """Return Markdown that shows its summary and unfolds to what a release says of itself."""
    lines = [line for line in notes.splitlines() if line.strip()]
    text = "\n".join(
        f"- {markdown_text(line, _LONGEST_LINE)}" for line in lines[:_LINES_OF_NOTES]
    )
    if len(lines) > _LINES_OF_NOTES:
        text += "\n- …"
    return folded(summary, text)
