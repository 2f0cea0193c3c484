"""The broker as a form asks for it, and its trial before anything is written."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    TextSelector,
)
from homeassistant.util.hass_dict import HassKey
import probatio

from ..const import DOMAIN
from ..network.broker import (
    ABOUT_ADDRESSES,
    BrokerProblem,
    Concern,
    Suggestion,
    address_problem,
    async_concern_about,
    async_rehearse,
    own_password,
)
from ..pyopenbk.obk.setup import Broker
from .forms import BROKER_LOGIN, PASSWORD, tidy
from .road import ConfigRoad

CONF_USE_OWN_LOGIN: Final = "use_own_login"
_PORT: Final = NumberSelector(
    NumberSelectorConfig(min=1, max=65535, step=1, mode=NumberSelectorMode.BOX)
)
BROKER: Final = {
    probatio.Required(CONF_HOST): TextSelector(),
    probatio.Required(CONF_PORT): _PORT,
    probatio.Optional(CONF_USERNAME): TextSelector(),
    probatio.Optional(CONF_PASSWORD): PASSWORD,
}
OWN_LOGIN: Final = {
    probatio.Required(CONF_USE_OWN_LOGIN, default=False): BooleanSelector()
}
# The login that was tried last. It is in no file: whoever restarts Home Assistant types it again.
_LAST_LOGIN: Final[HassKey[Broker]] = HassKey(f"{DOMAIN}.last_login")
# Where the broker's fields are, in every form that has them, a problem stands beside the right one.
_FIELDS: Final = {
    "broker_host": CONF_HOST,
    "broker_username": CONF_USERNAME,
    "broker_password": CONF_PASSWORD,
}


class BrokerForm(ConfigRoad):
    """What the chapters share that lead a socket to a broker."""

    _suggestion: Suggestion | None = None
    _questioned: frozenset[tuple[Concern, Broker]] = frozenset()
    """What was in doubt once; submitted again unchanged, it is taken."""

    @property
    def last_broker(self) -> Broker | None:
        """Return the broker that a dialog has tried last, with its login."""
        return self.hass.data.get(_LAST_LOGIN)

    def broker_placeholders(self, broker: Broker) -> dict[str, str]:
        """Return what a form says of the login that it is filled in with."""
        own = self._suggestion.broker.username if self._suggestion else broker.username
        known = self.session.passwords.knows(BROKER_LOGIN, CONF_PASSWORD)
        kept = known or bool(self.password_of(broker))
        return {
            "own_login": own or "-",
            "broker_password": self.word("password", "kept" if kept else "new"),
        }

    def password_of(self, broker: Broker) -> str:
        """Return the password that was tried last for this very login; no other host gets it.

        That of Home Assistant itself goes into a socket only where somebody says so each time.
        """
        last = self.last_broker
        if last is None or replace(last, password="") != replace(broker, password=""):
            return ""
        own = own_password(self.hass, broker.username)
        return "" if last.password == own else last.password

    def remember(self, broker: Broker) -> None:
        """Fill the form in with this login when the next socket is led to a broker."""
        self.hass.data[_LAST_LOGIN] = broker

    async def take_broker(self, user_input: dict[str, Any]) -> dict[str, str]:
        """Take the broker out of a form that asks for it; return what is wrong, by field."""
        username = user_input.get(CONF_USERNAME, "")
        if not username:
            # Without a name no password is sent, whatever was typed for an earlier one.
            self.session.passwords.keep(BROKER_LOGIN, CONF_PASSWORD, "")
        typed = user_input.get(CONF_PASSWORD, "")
        if user_input[CONF_USE_OWN_LOGIN] and not typed:
            own = own_password(self.hass, username)
            if own is None:
                return {CONF_USERNAME: "broker_login_not_own"}
            self.session.passwords.keep(BROKER_LOGIN, CONF_PASSWORD, own)
        broker = login_in(user_input)
        password = self.session.passwords.take(BROKER_LOGIN, user_input, CONF_PASSWORD)
        broker = replace(broker, password=password or self.password_of(broker))
        if problem := await self.async_check_broker(broker):
            return {_field_of(problem): problem}
        self.remember(broker)
        self.session.settings = replace(self.session.settings, broker=broker)
        return {}

    async def async_check_broker(self, broker: Broker) -> str | None:
        """Return the key of why this socket could not use the broker, or None.

        What may be wrong is asked once: the same again, unchanged, is meant.
        """
        if problem := address_problem(broker.host) or broker.problem:
            return problem
        concern = await async_concern_about(self.hass, broker.host)
        if concern is not None and not self._is_confirmed(concern, broker):
            return concern
        return await self.async_try_broker(broker)

    async def async_try_broker(self, broker: Broker) -> str | None:
        """Return the key of what this socket could not do at a broker, or None."""
        found = await async_rehearse(
            self.hass,
            broker,
            self.session.settings.client_id,
            self.session.settings.group,
        )
        if isinstance(found, BrokerProblem):
            return found
        if found is not None and not self._is_confirmed(found, broker):
            return found
        return None

    def _is_confirmed(self, concern: Concern, broker: Broker) -> bool:
        """Return whether the person was asked about this before; from now on they were."""
        # Whoever corrects the login has not changed the address that was in doubt.
        about = replace(broker, password="")
        if concern in ABOUT_ADDRESSES:
            about = replace(about, username="", port=0)
        confirmed = (concern, about) in self._questioned
        self._questioned |= {(concern, about)}
        return confirmed


def login_in(typed: Mapping[str, Any]) -> Broker:
    """Return what a form with a broker has in its fields, but for the password."""
    return Broker(
        host=tidy(typed[CONF_HOST]),
        port=int(typed[CONF_PORT]),
        username=typed.get(CONF_USERNAME, ""),
    )


def _field_of(problem: str) -> str:
    """Return the field that a problem of the broker is about; ``base`` for the whole form."""
    if problem in ABOUT_ADDRESSES or problem in ("broker_not_a_host", "broker_ipv6"):
        return CONF_HOST
    return next(
        (field for key, field in _FIELDS.items() if problem.startswith(key)), "base"
    )
