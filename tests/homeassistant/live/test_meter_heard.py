"""A meter that no pin tells of is known by what it publishes."""

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
import pytest

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.homeassistant.adding import by_hand, cards, unload
from tests.homeassistant.wizard import Wizard
from tests.support.addresses import refuse
from tests.support.broker import Broker
from tests.support.simulated import plugged_in, stranger
from tests.support.sockets import CLIENT_ID, listens_for_sockets
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

# An LSPA9: its BL0942 is on a UART, which has no roles.
BL0942 = SocketProfile.of(
    (
        PinAssignment(pin=26, role=PinRole.REL, channel=1),
        PinAssignment(pin=9, role=PinRole.BTN, channel=1),
        PinAssignment(pin=8, role=PinRole.WIFI_LED_N),
    )
)


def state(hass: HomeAssistant, key: str) -> str | None:
    found = hass.states.get(f"sensor.obk8c123456_{key}")
    return found.state if found else None


async def test_a_bl0942_of_a_socket_with_an_open_page(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    config = stranger(mosquitto, BL0942, startup_command="startDriver BL0942")
    async with plugged_in(config) as socket:
        await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)
        wizard = await by_hand(hass)
        await wizard.submit(address=socket.firmware.http_address)
        assert await wizard.submit(changes=[]) == "created"
        await hass.async_block_till_done()
        (entry,) = hass.config_entries.async_entries("openbk")
        await until(lambda: entry.runtime_data.online)

        async def says(name: str, text: str) -> None:
            await mqtt.async_publish(hass, f"{CLIENT_ID}/{name}/get", text)

        if state(hass, "voltage") is None:
            await says("voltage", "231.4")
        await until(lambda: state(hass, "voltage"))
        await until(lambda: entry.runtime_data.online)
        for name, text in (
            ("voltage", "231.4"),
            ("current", "0.512"),
            ("power", "118.20"),
            ("energycounter", "5000.000"),
        ):
            await says(name, text)
        await until(lambda: state(hass, "power") == "118.2")
        assert (state(hass, "voltage"), state(hass, "current")) == ("231.4", "0.512")
        profile = SocketProfile.from_dict(entry.data["profile"])
        assert profile.meter == "BL0942"
        assert profile.pins == BL0942.pins
        # Its pins may be changed, it keeps its meter.
        assert profile.with_pins(profile.pins[:1]).has_meter
        await unload(hass)


@pytest.mark.parametrize("channel", [0, 63])
async def test_a_relay_on_any_channel_is_listened_to(
    hass: HomeAssistant, mosquitto: Broker, channel: int
) -> None:
    await listens_for_sockets(hass)
    profile = SocketProfile.of(
        (
            PinAssignment(pin=7, role=PinRole.REL, channel=channel),
            PinAssignment(pin=23, role=PinRole.BTN, channel=channel),
        )
    )
    async with plugged_in(stranger(mosquitto, profile)) as socket:
        await until(lambda: cards(hass) == [CLIENT_ID])
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=refuse)
        wizard = await Wizard.open(hass, "existing")
        assert await wizard.submit(found=CLIENT_ID) == "no_pins_closed"
        assert await wizard.choose("pins_guess") == "pins"
        assert await wizard.choose("use_pins") == "created"
        relay = "switch.obk8c123456"
        await until(lambda: (s := hass.states.get(relay)) and s.state == "off")
        await hass.services.async_call("switch", "turn_on", {"entity_id": relay})
        await until(lambda: socket.firmware.relay(channel))
        await unload(hass)
