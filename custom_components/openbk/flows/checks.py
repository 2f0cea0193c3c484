"""What every road into an entry checks in the same way: topics, the address of a socket."""

import re

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from ..const import CONF_CLIENT_ID, CONF_GROUP, DOMAIN
from ..pyopenbk.ipv4 import is_in_a_network
from ..pyopenbk.obk.addresses import AddressError, parse_address
from ..pyopenbk.obk.console import ConsoleError, UnreachableError
from ..pyopenbk.obk.messages import LONGEST_CLIENT_ID, is_client_id, is_root_of_topics
from ..pyopenbk.obk.setup import size_of


def topic_problem(client_id: str, *, has_it: bool = False) -> str | None:
    """Return the key of why a socket cannot have this topic, or None.

    ``has_it``: it was given the topic elsewhere, where more is possible.
    """
    wrong = "topic_impossible" if has_it else "topic_invalid"
    return _topic_problem(client_id, "topic_too_long", wrong, has_it=has_it)


@callback
def topics_problem(
    hass: HomeAssistant,
    client_id: str,
    group: str,
    *,
    own: ConfigEntry | None,
    has_them: bool = False,
) -> str | None:
    """Return the key of what is wrong with the two topics of a socket, or None.

    ``own`` is the entry that the socket has already. ``has_them``: it was given them elsewhere.

    Two sockets under one name would throw each other off the broker for ever, and a name that is
    the group of others would make one command switch them all.
    """
    wrong = "group_impossible" if has_them else "group_invalid"
    problem = topic_problem(client_id, has_it=has_them) or _topic_problem(
        group, "group_too_long", wrong, has_it=has_them
    )
    if problem is not None:
        return problem
    if client_id == group:
        return "topic_same"
    taken = any(
        client_id in (entry.data.get(CONF_CLIENT_ID), entry.data.get(CONF_GROUP))
        or group == entry.data.get(CONF_CLIENT_ID)
        for entry in hass.config_entries.async_entries(DOMAIN)
        if own is None or entry.entry_id != own.entry_id
    )
    return "topic_taken" if taken else None


def socket_address(typed: str) -> str | None:
    """Return the address of a socket without what a browser shows around it; None for no address.

    It is an IPv4 address or a host name, perhaps with a port; the firmware has no IPv6.
    """
    text = re.sub(r"^https?://", "", typed.strip(), flags=re.IGNORECASE)
    text = text.partition("/")[0]
    try:
        ip = parse_address(text).ip
    except AddressError:
        return None
    # Whether sockets are simulated on this machine is for the network to know.
    return text if ip is None or ip.is_loopback or is_in_a_network(ip) else None


def console_error(err: ConsoleError) -> str:
    """Return the key of the text for why no socket could be asked at an address."""
    if isinstance(err, AddressError):
        return "socket_address_invalid"
    if isinstance(err, UnreachableError):
        return "socket_unreachable"
    return "socket_not_openbeken"


def _topic_problem(
    topic: str, too_long: str, invalid: str, *, has_it: bool
) -> str | None:
    size = size_of(topic)
    if size is not None and size > LONGEST_CLIENT_ID:
        return too_long
    possible = is_root_of_topics(topic) if has_it else is_client_id(topic)
    return None if possible else invalid
