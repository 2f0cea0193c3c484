"""What a socket is known by: a MAC that many chips have is nobody's, and a topic has one entry."""

import asyncio
from functools import partial

from homeassistant.components import mqtt
from homeassistant.config_entries import SOURCE_IMPORT, SOURCE_MQTT
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo
import pytest

from custom_components.openbk.issues.unfinished import (
    UnfinishedSocket,
    UnfinishedSockets,
)
from custom_components.openbk.live.entries import async_entry_of, async_follow
from custom_components.openbk.network.strangers import (
    MOST_ASKED,
    MOST_CARDS,
    MOST_WAITING,
    strangers,
)
from custom_components.openbk.pyopenbk.beken.rf_sector import GENERIC_MAC
from custom_components.openbk.pyopenbk.obk.setup import SocketSettings
from custom_components.openbk.pyopenbk.profile import SocketProfile
from tests.homeassistant.adding import (
    OTHER_MAC,
    build_message,
    by_hand,
    cards,
    says,
    unload,
)
from tests.homeassistant.wizard import Wizard
from tests.support.addresses import lead_to
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, plugged_in, stranger
from tests.support.sockets import (
    BLOW,
    BUILD,
    CLIENT_ID,
    MAC,
    TWO_COILS,
    ScriptedSocket,
    add_socket,
    listen,
    listens_for_sockets,
    socket_entry,
)
from tests.support.waiting import until

GHOSTS = 1000
IP = "192.168.1.7"
walks = pytest.mark.walks
pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


def entries(hass: HomeAssistant) -> dict[str, str]:
    """Return the topics of all entries by their titles."""
    return {
        entry.title: entry.data["client_id"]
        for entry in hass.config_entries.async_entries("openbk")
    }


async def runs(socket: PluggedSocket) -> None:
    await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)


async def introduce(hass: HomeAssistant, client_id: str) -> Wizard:
    """Say a build on a topic, as core hands it to us; return the dialog of it."""
    wizard = Wizard(hass)
    message = build_message(f"{client_id}/build")
    wizard.look_at(
        await hass.config_entries.flow.async_init(
            "openbk", context={"source": SOURCE_MQTT}, data=message
        )
    )
    return wizard


@pytest.mark.slow
async def test_two_sockets_with_the_mac_of_all_that_lost_theirs(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """Switching one must never switch the other, and both can be added."""
    await listens_for_sockets(hass)
    one = stranger(mosquitto, mac=GENERIC_MAC, mqtt_client_id="washer")
    two = stranger(mosquitto, mac=GENERIC_MAC, mqtt_client_id="freezer")
    async with plugged_in(one, GENERIC_MAC) as washer:
        await runs(washer)
        wizard = await by_hand(hass)
        await wizard.submit(address=washer.firmware.http_address)
        assert await wizard.submit(changes=[]) == "created"
        async with plugged_in(two, GENERIC_MAC) as freezer:
            await until(lambda: cards(hass) == ["freezer"])
            assert entries(hass) == {"washer": "washer"}
            await until(lambda: hass.states.get("switch.washer").state == "off")
            await hass.services.async_call(
                "switch", "turn_on", {"entity_id": "switch.washer"}, blocking=True
            )
            await until(lambda: washer.firmware.relay(1))
            assert not freezer.firmware.relay(1)

            wizard = await by_hand(hass)
            await wizard.submit(address=freezer.firmware.http_address)
            assert await wizard.submit(changes=[]) == "created"
            await until(lambda: hass.states.get("switch.freezer").state == "off")
            await hass.services.async_call(
                "switch", "turn_off", {"entity_id": "switch.washer"}, blocking=True
            )
            await hass.services.async_call(
                "switch", "turn_on", {"entity_id": "switch.freezer"}, blocking=True
            )
            await until(lambda: freezer.firmware.relay(1))
            assert not washer.firmware.relay(1)
            registry = dr.async_get(hass)
            names = [
                device.name
                for entry in hass.config_entries.async_entries("openbk")
                for device in dr.async_entries_for_config_entry(
                    registry, entry.entry_id
                )
            ]
            assert sorted(names) == ["freezer", "washer"]
            await unload(hass)


async def test_a_socket_left_by_its_wizard_has_the_pins_of_no_other(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """Another one has got the address that it told."""
    await UnfinishedSockets(hass).async_remember(
        MAC,
        UnfinishedSocket(
            profile=BLOW,
            settings=SocketSettings(name="Kitchen", client_id=CLIENT_ID),
            release=None,
        ),
        b"",
    )
    said = {"build": BUILD, "mac": MAC, "ip": IP, "host": CLIENT_ID}
    await says(hass, CLIENT_ID, said)
    config = stranger(mosquitto, TWO_COILS, mac=OTHER_MAC, mqtt_client_id="hall")
    async with plugged_in(config, OTHER_MAC) as other:
        await until(lambda: other.firmware.http_address)
        lead_to(hass, other)
        wizard = await introduce(hass, CLIENT_ID)
        assert wizard.page == "reported_in"
        assert await wizard.submit() == "created"
    (entry,) = hass.config_entries.async_entries("openbk")
    assert SocketProfile.from_dict(entry.data["profile"]) == BLOW
    await unload(hass)


async def test_a_default_mac_tells_no_lease(hass: HomeAssistant) -> None:
    entry = socket_entry(mac=GENERIC_MAC, client_id="washer", address="192.168.1.7")
    entry.add_to_hass(hass)
    result = await hass.config_entries.flow.async_init(
        "openbk",
        context={"source": "dhcp"},
        data=DhcpServiceInfo(
            ip="192.168.1.99",
            hostname="openbk7231n_8c000000",
            macaddress=GENERIC_MAC.replace(":", ""),
        ),
    )
    assert result["reason"] == "not_openbeken"
    assert entry.data["address"] == "192.168.1.7"


async def test_nobody_is_followed_while_the_own_topic_is_online(
    hass: HomeAssistant,
) -> None:
    """Anybody on the broker can say a MAC; commands go where the entry leads."""
    entry = socket_entry()
    await add_socket(hass, entry)
    own = ScriptedSocket(hass)
    await own.connect()
    await until(lambda: entry.runtime_data.online)
    assert not async_follow(hass, entry, client_id="impostor", address="192.168.1.66")
    assert (entry.data["client_id"], entry.data["address"]) == (CLIENT_ID, None)
    await own.say("connected", "offline", retain=True)
    await until(lambda: not entry.runtime_data.online)
    assert async_follow(hass, entry, client_id="renamed")
    assert entry.data["client_id"] == "renamed"
    await hass.async_block_till_done()


async def test_nobody_is_followed_to_the_topic_of_another_entry(
    hass: HomeAssistant,
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    socket_entry(mac="c8:47:8c:99:99:99", client_id="other").add_to_hass(hass)
    assert not async_follow(hass, entry, client_id="other")
    assert entry.data["client_id"] == CLIENT_ID


async def test_no_default_mac_is_followed(hass: HomeAssistant) -> None:
    entry = socket_entry(mac=GENERIC_MAC)
    await add_socket(hass, entry)
    assert async_entry_of(hass, mac=GENERIC_MAC) is None
    assert not async_follow(hass, entry, client_id="freezer")
    # An address is no topic.
    assert async_follow(hass, entry, address="192.168.1.8")


@pytest.mark.parametrize(
    "road",
    [
        pytest.param("topic", marks=walks("where -> topic_taken")),
        pytest.param("card", marks=walks("discovery_confirm -> tune -> topic_taken")),
        "wizard",
    ],
)
async def test_every_road_refuses_a_second_entry_on_a_topic(
    hass: HomeAssistant, mosquitto: Broker, road: str
) -> None:
    """Whatever MAC answers there, and also where the entry was made in the meantime."""
    config = stranger(mosquitto, mqtt_client_id="kitchen")
    async with plugged_in(config) as socket:
        await runs(socket)
        lead_to(hass, socket)
        first = socket_entry(mac="c8:47:8c:99:99:99", client_id="kitchen")
        match road:
            case "topic":
                first.add_to_hass(hass)
                wizard = await by_hand(hass)
                end = await wizard.submit(client_id="kitchen")
                assert wizard.result["reason"] == "topic_taken"
            case "card":
                wizard = await introduce(hass, "kitchen")
                first.add_to_hass(hass)
                assert await wizard.submit() == "tune"
                end = await wizard.submit(changes=[])
                assert wizard.result["reason"] == "topic_taken"
            case _:
                first.add_to_hass(hass)
                result = await hass.config_entries.flow.async_init(
                    "openbk",
                    context={"source": SOURCE_IMPORT},
                    data={
                        "name": "Kitchen",
                        "mac": MAC,
                        "client_id": "kitchen",
                        "group": "bekens_n",
                        "profile": BLOW.as_dict(),
                        "address": None,
                        "firmware": BUILD,
                        "tuned": True,
                    },
                )
                end = str(result["type"])
                assert result["reason"] == "topic_taken"
        assert "abort" in end or end == "topic_taken"
        assert entries(hass) == {"Washing machine": "kitchen"}


async def test_a_flood_of_builds_costs_few_questions(hass: HomeAssistant) -> None:
    """A thousand names speak at once; the socket that is really there is found all the same."""
    await listens_for_sockets(hass)
    hall = strangers(hass)
    most = [0, 0, 0]

    @callback
    def count(_message: mqtt.ReceiveMessage) -> None:
        flows = hass.config_entries.flow.async_progress_by_handler(
            "openbk", include_uninitialized=True
        )
        now = (len(flows), len(hall.asked), len(hall.waiting))
        most[:] = map(max, most, now, strict=True)

    await mqtt.async_subscribe(hass, "+/build", count)
    for number in range(GHOSTS):
        await mqtt.async_publish(hass, f"ghost{number}/build", BUILD)
    await until(lambda: most[2] == MOST_WAITING)
    assert most[1] == MOST_ASKED
    assert most[0] <= 2 * MOST_ASKED
    # Nobody answers for the ghosts, so their questions end, and others get a turn.
    real = ScriptedSocket(hass, "real")

    @callback
    def introduce_itself(_message: mqtt.ReceiveMessage) -> None:
        for name, value in (
            ("build", BUILD),
            ("mac", MAC),
            ("host", "real"),
            ("ip", IP),
        ):
            hass.async_create_task(real.say(name, value))

    await listen(hass, "cmnd/real/publishAll", introduce_itself)
    hall.waiting.clear()
    await real.say("build", BUILD)
    await until(lambda: "real" in hall.asked or "real" in hall.waiting)
    await until(lambda: cards(hass) == ["real"])
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_no_more_cards_than_anybody_looks_through(hass: HomeAssistant) -> None:
    await listens_for_sockets(hass)
    await listen(hass, "cmnd/+/publishAll", partial(_introduce, hass))
    for number in range(MOST_CARDS + 20):
        await mqtt.async_publish(hass, f"socket{number}/build", BUILD)
    await until(lambda: len(cards(hass)) == MOST_CARDS)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(cards(hass)) == MOST_CARDS


async def test_whoever_answered_counts_until_the_card_does(hass: HomeAssistant) -> None:
    """Else others would be let in meanwhile, and there would be more cards than there may be."""
    await listens_for_sockets(hass)
    await listen(hass, "cmnd/+/publishAll", partial(_introduce, hass))
    hall = strangers(hass)
    await mqtt.async_publish(hass, "socket1/build", BUILD)
    await until(lambda: hall.asked)
    while not cards(hass):
        assert hall.asked == {"socket1"}
        await asyncio.sleep(0)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not hall.asked


@callback
def _introduce(hass: HomeAssistant, message: mqtt.ReceiveMessage) -> None:
    """Answer for any socket that is asked who it is."""
    client_id = message.topic.split("/")[1]
    number = int(client_id.removeprefix("socket"))
    said = {
        "build": BUILD,
        "mac": f"c8:47:8c:99:00:{number:02x}",
        "host": "x",
        "ip": IP,
    }
    for name, value in said.items():
        hass.async_create_task(mqtt.async_publish(hass, f"{client_id}/{name}", value))
