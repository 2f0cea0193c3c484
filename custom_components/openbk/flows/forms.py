"""What forms share: sections that open by themselves, tidied text, passwords that are kept."""

from collections.abc import Mapping
from typing import Any, Final
import unicodedata

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.const import CONF_PASSWORD
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import probatio

from ..const import CONF_ADDRESS

# What passwords are kept for.
WIFI: Final = "wifi"
BROKER_LOGIN: Final = "broker"
# The field of a second network's password.
CONF_SECOND: Final = "second"
# The name of a backup, in every form that has a choice of them, and where one leads to another.
CONF_BACKUP: Final = "backup"
CONF_CONSENT: Final = "consent"

PASSWORD: Final = TextSelector(
    # Not remembered by the browser: these are other people's passwords to it.
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="new-password")
)
WEB_PASSWORD: Final = probatio.Schema({probatio.Required(CONF_PASSWORD): PASSWORD})
"""Asks for the password of a socket's web page."""
CONSENT: Final = probatio.Schema(
    {probatio.Required(CONF_CONSENT, default=False): BooleanSelector()}
)
"""Has to be ticked before what cannot be taken back."""


def ask_for_web_password(
    flow: OptionsFlow, step_id: str, *, refused: bool
) -> ConfigFlowResult:
    """Show the form for the password of the socket's web page; it may have refused one already."""
    return flow.async_show_form(
        step_id=step_id,
        data_schema=WEB_PASSWORD,
        description_placeholders={"address": flow.config_entry.data[CONF_ADDRESS]},
        errors={CONF_PASSWORD: "socket_password"} if refused else {},
    )


def opened(schema: probatio.Schema, name: str) -> probatio.Schema:
    """Return a form with one of its sections open, as what matters is in there."""
    return probatio.Schema(
        {
            key: section(field.schema, {"collapsed": False}) if key == name else field
            for key, field in schema.schema.items()
        }
    )


def tidy(text: str) -> str:
    """Return a typed name without blanks around it, in one line and with composed letters.

    What cannot be shown is left out: half a character would stop Home Assistant from saving.
    """
    shown = (
        letter for letter in text if unicodedata.category(letter) not in ("Cc", "Cs")
    )
    return unicodedata.normalize("NFC", "".join(shown)).strip()


class Passwords:
    """The passwords that were typed into a dialog, by form and field.

    A form that is shown again never has them in it; left empty, a field keeps what it had.
    """

    def __init__(self) -> None:
        """Know none yet."""
        self._typed: dict[tuple[str, str], str] = {}

    def take(self, form: str, typed: Mapping[str, Any], field: str) -> str:
        """Return what a field means, and remember it."""
        password: str = typed.get(field) or self._typed.get((form, field), "")
        self.keep(form, field, password)
        return password

    def keep(self, form: str, field: str, password: str) -> None:
        """Let an empty field mean this from now on."""
        self._typed[form, field] = password

    def knows(self, form: str, field: str) -> bool:
        """Return whether an empty field would mean a password."""
        return bool(self._typed.get((form, field)))


def without(typed: Mapping[str, Any], *fields: str) -> dict[str, Any]:
    """Return what was typed but for these fields, in the sections of the form too."""
    return {
        key: without(value, *fields) if isinstance(value, Mapping) else value
        for key, value in typed.items()
        if key not in fields
    }


def web_page(address: str | None) -> str:
    """Return for what the password of a web page is kept: this address, and no other."""
    return f"web {address}"


def folded(summary: str, text: str) -> str:
    """Return Markdown that shows its summary and unfolds to the rest, Markdown too."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"
