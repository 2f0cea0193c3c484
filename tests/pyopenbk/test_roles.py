"""The pin roles."""

import json

import pytest

from custom_components.openbk.pyopenbk.roles import (
    BUTTON_ROLES,
    LED_ROLES,
    METER_ROLES,
    RELAY_ROLES,
    WIFI_LED_ROLES,
    PinRole,
    role_from_name,
)
from tests.recordings.session import exchanges


def test_numbers_and_names_are_the_firmwares() -> None:
    """GET /api/pins of a real OpenBeken lists every name at its number."""
    (said,) = (
        json.loads(exchange.content)
        for exchange in exchanges("fresh")
        if exchange.target == "/api/pins"
    )
    # It shows a pin without a role as a blank.
    names = [role.firmware_name for role in PinRole]
    assert names[1:] == said["rolenames"][1:]
    assert [int(role) for role in PinRole] == list(range(len(PinRole)))


@pytest.mark.parametrize(
    ("number", "role"),
    [
        (0, PinRole.NONE),
        (1, PinRole.REL),
        (3, PinRole.BTN),
        (6, PinRole.LED_N),
        (9, PinRole.WIFI_LED_N),
        (17, PinRole.BL0937SEL),
        (18, PinRole.BL0937CF),
        (19, PinRole.BL0937CF1),
        (64, PinRole.BL0937SEL_N),
    ],
)
def test_the_roles_of_a_socket_have_their_numbers(number: int, role: PinRole) -> None:
    """A wrong one would drive the wrong pin."""
    assert {known.value: known for known in PinRole}[number] is role


@pytest.mark.parametrize("role", PinRole)
def test_every_role_is_found_by_its_name(role: PinRole) -> None:
    """However a template writes it."""
    name = role.firmware_name
    for spelling in (name, name.upper(), name.lower(), f" {name} "):
        assert role_from_name(spelling) is role


def test_other_names_are_no_roles() -> None:
    """Nothing is guessed."""
    assert role_from_name("Relay") is None
    assert role_from_name("") is None


def test_the_groups_do_not_overlap() -> None:
    """A pin is a relay or a button, never both."""
    groups = [RELAY_ROLES, BUTTON_ROLES, LED_ROLES, WIFI_LED_ROLES, METER_ROLES]
    assert sum(map(len, groups)) == len(frozenset().union(*groups))


@pytest.mark.parametrize(
    ("role", "has_channel"),
    [
        (PinRole.REL, True),
        (PinRole.BTN, True),
        (PinRole.LED_N, True),
        (PinRole.BL0937CF, False),
        (PinRole.BL0937SEL_N, False),
        (PinRole.WIFI_LED_N, False),
        (PinRole.BTN_TGL_ALL, False),
        (PinRole.NONE, False),
    ],
)
def test_which_roles_act_on_a_channel(role: PinRole, has_channel: bool) -> None:
    """The meter and the network's LED do not."""
    assert role.has_channel is has_channel
