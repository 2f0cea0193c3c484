"""A pin whose active level was guessed wrong is inverted in the socket that runs."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.homeassistant.options import add, begin, go_on
from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

GUESSED = SocketProfile.of(
    (
        PinAssignment(pin=10, role=PinRole.LED, channel=1, polarity_guessed=True),
        PinAssignment(pin=11, role=PinRole.BTN, channel=1),
        PinAssignment(pin=26, role=PinRole.REL, channel=1),
    )
)


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Core's MQTT client leaves its periodic timer behind."""
    return True


async def test_a_guess_is_tried_and_taken_back(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with plugged_in(configuration(mosquitto, GUESSED)) as plugged:
        entry = await add(hass, plugged, profile=GUESSED)
        firmware = plugged.firmware
        await until(lambda: not firmware.pin_level(10))

        page = await begin(hass, entry, "polarity")
        (field,) = page["data_schema"].schema.values()
        assert [option["label"] for option in field.config["options"]] == [
            "P10: LED (active level is a guess)",
            "P11: Button",
            "P26: Relay",
        ]
        done = await go_on(hass, page, pins=["10"])
        assert done["reason"] == "polarity_changed"
        # The relay is off, so an inverted LED has its pin high.
        await until(lambda: firmware.pin_level(10))
        assert not firmware.pin_level(26)
        assert plugged.firmware.settings.values.roles[10] == PinRole.LED_N
        assert plugged.firmware.settings.values.channels[10] == 1
        (led,) = SocketProfile.from_dict(entry.data["profile"]).leds
        assert (led.role, led.polarity_guessed) == (PinRole.LED_N, False)

        await until(
            lambda: entry.state is ConfigEntryState.LOADED and entry.runtime_data.online
        )
        page = await begin(hass, entry, "polarity")
        await go_on(hass, page, pins=["10", "26"])
        await until(lambda: not firmware.pin_level(10) and firmware.pin_level(26))
        await hass.async_block_till_done(wait_background_tasks=True)
        await until(
            lambda: entry.state is ConfigEntryState.LOADED and entry.runtime_data.online
        )
        page = await begin(hass, entry, "polarity")
        assert (await go_on(hass, page, pins=[]))["reason"] == "nothing_changed"

        page = await begin(hass, entry, "polarity")
        # It is gone before anybody has noticed, and may have got it just before.
        mosquitto.stop()
        done = await go_on(hass, page, pins=["10"])
        assert done["reason"] == "polarity_unanswered"
        (led,) = SocketProfile.from_dict(entry.data["profile"]).leds
        assert led.role is PinRole.LED
        await until(lambda: not entry.runtime_data.online)
        assert (await begin(hass, entry, "polarity"))["reason"] == "not_loaded"
    await hass.config_entries.async_unload(entry.entry_id)
