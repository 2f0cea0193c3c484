"""Which pin does what: found in the chip, confirmed or corrected by the person."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.helpers.selector import (
    BooleanSelector,
    FileSelector,
    FileSelectorConfig,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
)
import probatio

from ...const import CONF_MODEL
from ...helpers import counted
from ...pyopenbk.descriptions import read_description
from ...pyopenbk.devices import KNOWN_DEVICES, devices_with
from ...pyopenbk.errors import OpenBekenError
from ...pyopenbk.foreign_text import markdown_code
from ...pyopenbk.obk.startup import add, own_parts
from ...pyopenbk.obk.templates import DeviceTemplate, bits
from ...pyopenbk.profile import SocketProfile
from ...pyopenbk.tuya import PinReading, PinSource, read_pins
from .. import pin_form, uploads
from ..forms import opened
from . import kept, route
from .base import WizardFlow
from .failures import pin_error, reason_for_no_pins

CONF_TEXT: Final = "text"
CONF_DUMP: Final = "dump"
CONF_COMMAND: Final = "command"
CONF_FLAGS: Final = "flags"


class PinSteps(WizardFlow):
    """The steps between the backup and the settings."""

    @property
    def pin_placeholders(self) -> dict[str, str]:
        """Return what was found."""
        session = self.session
        if session.profile is None:
            return {}
        notes = [pin_form.notes(session.reading, self.word)] if session.reading else []
        if session.template is not None:
            notes.append(pin_form.template_notes(session.template, self.word))
        notes.append(pin_form.without_entity(session.profile, self.word))
        if session.has_extras:
            told = "asked" if session.evidence is None else "not_taken"
            notes.append(f"- {self.word('template_extras', told)}")
        values = {
            "pins": pin_form.table(session.profile, self.word),
            "socket": pin_form.summary(session.profile, self.word),
            "notes": "\n".join(filter(None, notes)),
            "pins_from": self._origin(),
        }
        if problem := pin_form.problem_of(session.profile):
            values["problem"] = self.error_text(problem)
        return values

    def _origin(self) -> str:
        """Say where the pins are from, and how far that can be trusted."""
        sentences = (
            [self.word("pins_from", self.session.pins_source)]
            if self.session.pins_source
            else []
        )
        if (
            self.session.reading
            and self.session.reading.source is PinSource.APPLICATION
        ):
            sentences.append(self.word("pins_from", "application"))
        return " ".join(sentences)

    async def async_step_pins(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the pins, or why there are none."""
        if self.session.profile is None:
            assert self.session.analysis is not None
            found, config = self.session.analysis.pins, self.session.analysis.config
            if config is not None and not pin_form.problem_of(config.profile):
                # With these it runs; what its factory had in mind may have been corrected since.
                module = found.profile.module if found else None
                known = SocketProfile.of(config.profile.pins, module)
                if (meter := config.profile.serial_meter) is not None:
                    known = known.with_meter(meter, config.profile.baud)
                self.session.take_pins(known, "configuration")
            elif found is not None and found.is_light:
                return self.show_page("no_pins_light")
            elif found is not None:
                self.session.take_pins(found.profile, "chip", found)
            elif config is not None:
                self.session.take_pins(config.profile, "configuration")
            elif (earlier := await self._pins_of_earlier_backup()) is not None:
                self.session.take_pins(earlier.profile, "earlier_backup", earlier)
            else:
                why = self.session.analysis.why_no_pins
                assert why is not None
                return self.show_page(reason_for_no_pins(why))
        assert self.session.profile is not None
        if pin_form.problem_of(self.session.profile):
            return self.show_page("pins_incomplete")
        return self.async_show_menu(
            step_id="pins",
            menu_options=["use_pins", "pins_edit", "pins_other"],
            description_placeholders=self.placeholders,
        )

    async def _pins_of_earlier_backup(self) -> PinReading | None:
        """Return the pins that this chip had told before its storage was lost."""
        assert self.session.analysis is not None
        mac = self.session.analysis.mac
        if mac is None or self.session.analysis.mac_is_generic:
            return None

        def read() -> PinReading | None:
            with suppress(OpenBekenError):
                for backup in self.backups.find(mac):
                    with suppress(OpenBekenError):
                        return read_pins(backup.read(), self.session.chip)
            return None

        return await self.hass.async_add_executor_job(read)

    async def async_step_use_pins(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take the pins as shown."""
        return await self.async_step(route.after_pins(self.session))

    async def async_step_pins_extras(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Offer the commands and the flags of a template, which somebody else chose."""
        assert self.session.profile is not None
        assert self.session.template is not None
        template = self.session.template
        if user_input is not None:
            self.session.profile = self.session.profile.with_extras(
                template.command if user_input.get(CONF_COMMAND) else "",
                template.flags if user_input.get(CONF_FLAGS) else 0,
            )
            return await self.async_step("name")
        fields: dict[Any, Any] = {}
        if template.command:
            fields[probatio.Required(CONF_COMMAND, default=False)] = BooleanSelector()
        if template.flags:
            fields[probatio.Required(CONF_FLAGS, default=False)] = BooleanSelector()
        return self.async_show_form(
            step_id="pins_extras",
            data_schema=probatio.Schema(fields),
            description_placeholders=self.placeholders
            | {"extras": self._extras(self.session.profile, template)},
            last_step=False,
        )

    def _extras(self, profile: SocketProfile, template: DeviceTemplate) -> str:
        """Return Markdown of what a template has, and of what would be lost by taking it."""
        lines = []
        if template.command:
            commands = markdown_code(template.command, 2 * len(template.command))
            lines.append(f"{self.word('template_extras', 'command')} {commands}")
        if template.flags:
            numbers = ", ".join(map(str, bits(template.flags)))
            lines.append(f"{self.word('template_extras', 'flags')} {numbers}")
        text = "\n".join(f"- {line}" for line in lines)
        left_out = add(template.command, own_parts(profile, timedelta())).left_out
        if template.command and left_out:
            text = f"{text}\n\n{kept.left_out_by_template(left_out, self.word)}"
        return text

    async def async_step_pins_edit(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose pins by hand: none twice, a relay, a whole meter; without any, another source."""
        errors: dict[str, str] = {}
        line = ""
        if user_input is None:
            user_input = pin_form.to_form(
                self.session.profile or SocketProfile(pins=())
            )
        else:
            try:
                profile = pin_form.from_form(
                    user_input, self.session.profile, self.session.highest_pin
                )
            except pin_form.LineError as err:
                errors["base"], line = "pins_line", str(err.args[0])
            else:
                if not profile.pins:
                    return self.show_page("pins_other")
                if problem := pin_form.problem_of(profile):
                    errors["base"] = problem
                else:
                    self.session.take_pins(
                        profile, "person", template=self.session.template
                    )
                    return await self.async_step_pins()
        return self.async_show_form(
            step_id="pins_edit",
            data_schema=self.add_suggested_values_to_schema(
                opened(pin_form.schema(self.session.highest_pin), pin_form.CONF_MORE)
                if user_input[pin_form.CONF_MORE].get(pin_form.CONF_OTHERS)
                else pin_form.schema(self.session.highest_pin),
                user_input,
            ),
            errors=errors,
            description_placeholders=self.placeholders | {"line": line},
            last_step=False,
        )

    async def async_step_pins_known(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose from the models whose pins are known; without a choice, another source."""
        if user_input is not None:
            if CONF_MODEL not in user_input:
                return self.show_page("pins_other")
            device = KNOWN_DEVICES[user_input[CONF_MODEL]]
            self.session.take_pins(device.profile, "model")
            self.session.settings = replace(self.session.settings, model=device.title)
            return await self.async_step_pins()
        module = self.session.profile.module if self.session.profile else None
        options = [
            SelectOptionDict(value=device.key, label=device.label)
            for device in devices_with(module)
        ]
        return self.async_show_form(
            step_id="pins_known",
            data_schema=probatio.Schema(
                {
                    probatio.Optional(CONF_MODEL): SelectSelector(
                        SelectSelectorConfig(
                            options=options, mode=SelectSelectorMode.DROPDOWN
                        )
                    )
                }
            ),
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_pins_paste(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Read a template or Tuya's configuration from pasted text; without one, another source."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if not user_input.get(CONF_TEXT, "").strip():
                return self.show_page("pins_other")
            try:
                self._take_text(user_input[CONF_TEXT])
            except OpenBekenError as err:
                errors[CONF_TEXT] = pin_error(err)
            else:
                return await self.async_step_pins()
        return self.async_show_form(
            step_id="pins_paste",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(
                    {
                        probatio.Optional(CONF_TEXT): TextSelector(
                            TextSelectorConfig(multiline=True)
                        )
                    }
                ),
                user_input,
            ),
            errors=errors,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    def _take_text(self, text: str) -> None:
        """Read a template or the factory's parameters; raises OpenBekenError."""
        found = read_description(text, self.session.chip)
        source = "text" if found.template is None else "template"
        self.session.take_pins(found.profile, source, found.reading, found.template)

    async def async_step_pins_upload(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Read the pins out of a dump from elsewhere; without one, another source."""
        errors: dict[str, str] = {}
        size = 0
        if user_input is not None:
            if CONF_DUMP not in user_input:
                return self.show_page("pins_other")
            try:
                dump = await uploads.async_read(self.hass, user_input[CONF_DUMP])
                size = len(dump)
                reading = await self.hass.async_add_executor_job(
                    read_pins, dump, self.session.chip
                )
            except uploads.UploadGoneError:
                errors[CONF_DUMP] = "upload_gone"
            except uploads.UploadTooLargeError:
                errors[CONF_DUMP] = "dump_too_large"
            except OpenBekenError as err:
                errors[CONF_DUMP] = pin_error(err)
            else:
                self.session.take_pins(reading.profile, "upload", reading)
                return await self.async_step_pins()
        return self.async_show_form(
            step_id="pins_upload",
            data_schema=probatio.Schema(
                {
                    probatio.Optional(CONF_DUMP): FileSelector(
                        FileSelectorConfig(accept=".bin,application/octet-stream")
                    )
                }
            ),
            errors=errors,
            description_placeholders=self.placeholders
            | {"size": counted(self.hass, size)},
            last_step=False,
        )
