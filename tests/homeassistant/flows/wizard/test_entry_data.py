"""What an entry keeps of a socket that is flashed again, and what follows the chip."""

from dataclasses import replace
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openbk.flows.wizard.arrival import (
    Arrival,
    async_find_differences,
)
from custom_components.openbk.flows.wizard.entry_data import (
    async_tell_factors,
    reflashed_data,
)
from custom_components.openbk.flows.wizard.session import WizardSession
from custom_components.openbk.live.calibration import SocketCalibration
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.obk import config_sector
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector
from custom_components.openbk.pyopenbk.obk.setup import SocketSettings
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.homeassistant.flows.wizard.test_sentences import running
from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in
from tests.support.sockets import BLOW, CLIENT_ID, MAC, socket_entry
from tests.support.waiting import until

RELAY_ONLY = SocketProfile.of((PinAssignment(pin=26, role=PinRole.REL, channel=1),))


def flashed(hass: HomeAssistant, profile: SocketProfile) -> WizardSession:
    """Return the session of a socket that was written and has reported in."""
    before = ConfigSector().with_profile(profile)
    session = running(before, MAC)
    session.profile = profile
    session.settings = SocketSettings(
        name="Kitchen", client_id=CLIENT_ID, before=before
    )
    session.written_config = config_sector.build(before)
    session.arrival = Arrival(hass, CLIENT_ID, MAC)
    return session


@pytest.mark.parametrize(("profile", "kept"), [(BLOW, True), (RELAY_ONLY, False)])
async def test_leds_that_are_kept_dark_are_those_of_the_same_pins(
    hass: HomeAssistant, profile: SocketProfile, kept: bool
) -> None:
    dark = {"dark_leds": ["P8"]}
    entry = socket_entry(replace(BLOW, module=None), **dark)
    entry.add_to_hass(hass)
    session = flashed(hass, replace(profile, module=None))
    data: dict[str, Any] = reflashed_data(session, entry)
    assert ("dark_leds" in data) is kept


async def test_a_socket_without_a_meter_has_no_factors_to_follow(
    hass: HomeAssistant,
) -> None:
    entry = socket_entry(RELAY_ONLY)
    entry.add_to_hass(hass)
    async_tell_factors(hass, flashed(hass, RELAY_ONLY), entry)
    assert not entry.options


async def test_a_calibration_without_factors_learns_those_of_before(
    hass: HomeAssistant,
) -> None:
    entry = socket_entry()
    entry.add_to_hass(hass)
    async_tell_factors(hass, flashed(hass, BLOW), entry)
    assert SocketCalibration(hass, entry, BLOW.meter_kind).factors


async def test_another_socket_at_the_address_differs_in_nothing(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """It is not the one that was written, so nobody is told that its pins are others."""
    hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True)
    written = configuration(mosquitto, RELAY_ONLY)
    async with plugged_in(configuration(mosquitto)) as socket:
        await until(lambda: socket.firmware.http_address)
        address = str(socket.firmware.http_address)
        found = await async_find_differences(hass, address, MAC, written)
        assert found is not None
        assert "pins" in found.keys
        other = await async_find_differences(
            hass, address, "c8:47:8c:00:00:99", written
        )
        assert other is None
