"""The password of a socket's own web pages: set, changed or removed from here, and never shown."""

import re
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlow
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.selector import BooleanSelector
import probatio

from ...live.console import PasswordChange, async_set_web_password
from ...pyopenbk.foreign_text import markdown_text
from ...pyopenbk.obk.builds import is_before, version_of
from ...pyopenbk.obk.console import ConsoleError, PasswordError
from ..forms import PASSWORD

CONF_PRESENT: Final = "present_password"
CONF_NEW: Final = "new_password"
CONF_AGAIN: Final = "new_password_again"
CONF_REMOVE: Final = "remove_password"

# Before, the page ignores the password, and may restart the socket all the same (http_fns.c).
_KNOWN_SINCE: Final = (1, 17, 342)
# What the page takes, of characters that a browser and the firmware send and read alike.
_PASSWORD: Final = re.compile(r"[\x21-\x7e]{5,32}")
_SCHEMA: Final = probatio.Schema(
    {
        **{
            probatio.Optional(key): PASSWORD
            for key in (CONF_PRESENT, CONF_NEW, CONF_AGAIN)
        },
        probatio.Required(CONF_REMOVE, default=False): BooleanSelector(),
    }
)


class WebPasswordSteps(OptionsFlow):
    """One page; it says success only once the new password was seen to open the pages."""

    async def async_step_web_password(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the passwords."""
        if self.config_entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        build = self.config_entry.runtime_data.build
        if is_before(build, _KNOWN_SINCE):
            return self.async_abort(
                reason="web_password_too_old",
                description_placeholders={"version": version_of(build) or ""},
            )
        errors: dict[str, str] = {}
        if user_input is not None:
            new = user_input.get(CONF_NEW) or None
            if (new is None) != user_input[CONF_REMOVE]:
                # Pages without a password are asked for, not come by.
                errors["base"] = "web_password_unclear"
            elif new is not None and not _PASSWORD.fullmatch(new):
                errors[CONF_NEW] = "web_password_form"
            elif new != (user_input.get(CONF_AGAIN) or None):
                errors[CONF_AGAIN] = "web_password_differs"
            elif reason := await self._set(
                user_input.get(CONF_PRESENT) or None, new, errors
            ):
                return self.async_abort(reason=reason)
        return self.async_show_form(
            step_id="web_password",
            data_schema=_SCHEMA,
            errors=errors,
            description_placeholders={"name": markdown_text(self.config_entry.title)},
        )

    async def _set(
        self, present: str | None, new: str | None, errors: dict[str, str]
    ) -> str | None:
        """Return the reason to end for; None where the form is shown again with an error."""
        try:
            seen = await async_set_web_password(
                self.hass, self.config_entry, present, new
            )
        except PasswordError:
            wrong = "socket_password" if present else "socket_needs_password"
            errors[CONF_PRESENT] = wrong
        except ConsoleError:
            errors["base"] = "socket_unreachable"
        except ServiceValidationError:
            errors["base"] = "another_socket"
        else:
            match seen:
                case PasswordChange.SEEN:
                    return "web_password_set" if new else "web_password_removed"
                case PasswordChange.NOT_SEEN:
                    return "web_password_not_seen"
            errors["base"] = "web_password_not_taken"
        return None
