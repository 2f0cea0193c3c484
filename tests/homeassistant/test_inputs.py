"""Inputs, wall switches, several relays and what they are called: one entity for each channel."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.support.addresses import lead_to
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, configuration, plugged_in
from tests.support.sockets import BLOW, add_socket, socket_entry
from tests.support.waiting import until

NAME = "washing_machine"


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Core's MQTT client leaves its periodic timer behind."""
    return True


def profile_of(*pins: tuple[int, PinRole, int]) -> SocketProfile:
    return SocketProfile.of(
        PinAssignment(pin=pin, role=role, channel=channel)
        for pin, role, channel in pins
    )


WALL_SWITCH = profile_of(
    (6, PinRole.REL, 1),
    (7, PinRole.REL, 2),
    (8, PinRole.TGL_CHAN_ON_TGL, 1),
    (9, PinRole.BTN_TGL_ALL, 0),
    (10, PinRole.D_INPUT, 3),
    (11, PinRole.D_INPUT_N, 4),
    (14, PinRole.D_INPUT, 4),
    (15, PinRole.LED, 5),
    (16, PinRole.LED_N, 5),
    (24, PinRole.DS1820_IO, 6),
)
LABELS = 'backlog SetChannelLabel 1 "Left lamp"; echo 1'


def state(hass: HomeAssistant, entity_id: str) -> str | None:
    return found.state if (found := hass.states.get(entity_id)) else None


async def add(
    hass: HomeAssistant, plugged: PluggedSocket, profile: SocketProfile
) -> MockConfigEntry:
    """Set a socket up; all addresses lead to the simulated one."""
    lead_to(hass, plugged)
    await until(lambda: plugged.firmware.http_address)
    entry = socket_entry(profile, address="127.0.0.1")
    await add_socket(hass, entry)
    return entry


def test_each_channel_is_one_thing() -> None:
    assert [pin.channel for pin in WALL_SWITCH.relays] == [1, 2]
    assert [pin.channel for pin in WALL_SWITCH.inputs] == [3, 4]
    assert [pin.pin for pin in WALL_SWITCH.without_entity] == [24]
    # The relay is what is seen of an input that sets it.
    both = profile_of((6, PinRole.REL, 1), (7, PinRole.D_INPUT, 1))
    assert not both.inputs
    # A terminal that nothing switches by is named.
    lone = profile_of((6, PinRole.REL, 1), (7, PinRole.TGL_CHAN_ON_TGL, 2))
    assert [pin.pin for pin in lone.without_entity] == [7]


@pytest.mark.parametrize(
    ("pins", "is_wall_switch"),
    [
        (((6, PinRole.REL, 1), (7, PinRole.TGL_CHAN_ON_TGL_PD, 1)), True),
        (
            (
                (6, PinRole.REL, 1),
                (7, PinRole.REL, 2),
                (8, PinRole.BTN, 1),
                (9, PinRole.BTN, 2),
            ),
            True,
        ),
        (
            ((6, PinRole.REL, 1), (7, PinRole.REL, 2), (8, PinRole.BTN_TGL_ALL, 0)),
            False,
        ),
        (((6, PinRole.REL, 1), (7, PinRole.BTN, 1)), False),
    ],
)
def test_wall_switch_is_told_from_a_socket(
    pins: tuple[tuple[int, PinRole, int], ...], is_wall_switch: bool
) -> None:
    assert profile_of(*pins).is_wall_switch is is_wall_switch
    metered = SocketProfile.of((*profile_of(*pins).pins, *BLOW.pins[:2], BLOW.pins[-2]))
    assert metered.has_meter
    has_terminal = any(role is PinRole.TGL_CHAN_ON_TGL_PD for _, role, _ in pins)
    assert metered.is_wall_switch is has_terminal


@pytest.mark.e2e
async def test_wall_switch_lives(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    config = configuration(mosquitto, WALL_SWITCH, startup_command=LABELS)
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged, WALL_SWITCH)
        # Its names are read once it is there.
        await until(lambda: state(hass, f"switch.{NAME}_relay_1") == "off")
        await until(lambda: entry.data.get("labels") == {"1": "Left lamp"})
        await hass.async_block_till_done()
        await until(lambda: state(hass, f"switch.{NAME}_relay_1") == "off")
        relay = hass.states.get(f"switch.{NAME}_relay_1")
        assert relay
        assert relay.attributes["friendly_name"] == "Washing machine Left lamp"
        assert relay.attributes["device_class"] == "switch"

        firmware = plugged.firmware
        firmware.set_input(8, level=False)
        await until(lambda: state(hass, f"switch.{NAME}_relay_1") == "on")
        assert firmware.relay(1)
        firmware.press_button(9)
        await until(lambda: state(hass, f"switch.{NAME}_relay_1") == "off")
        await until(lambda: firmware.buttons_idle)
        firmware.press_button(9)
        await until(lambda: state(hass, f"switch.{NAME}_relay_2") == "on")

        # Open contacts read high, and an input that is inverted low.
        closed = f"binary_sensor.{NAME}_input_3"
        firmware.set_input(10, level=False)
        await until(lambda: state(hass, closed) == "on")
        firmware.set_input(10, level=True)
        await until(lambda: state(hass, closed) == "off")
        registry = er.async_get(hass)
        kinds = [
            item.domain
            for item in er.async_entries_for_config_entry(registry, entry.entry_id)
        ]
        assert kinds.count("binary_sensor") == 2
        assert kinds.count("light") == 1
        assert await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.e2e
async def test_one_meter_says_that_it_is_all_relays(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    strip = SocketProfile.of(
        (*BLOW.pins, PinAssignment(pin=9, role=PinRole.REL, channel=2))
    )
    await add_socket(hass, entry := socket_entry(strip))
    power = hass.states.get(f"sensor.{NAME}_power_of_all_relays")
    voltage = hass.states.get(f"sensor.{NAME}_voltage")
    assert power
    assert voltage
    relay = hass.states.get(f"switch.{NAME}_relay_2")
    assert relay
    assert relay.attributes["device_class"] == "outlet"
    assert await hass.config_entries.async_unload(entry.entry_id)
