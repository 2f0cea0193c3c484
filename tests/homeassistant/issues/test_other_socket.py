"""Two sockets on one topic or with one MAC are both named, and hardware can be replaced."""

from datetime import timedelta

from homeassistant.config_entries import SOURCE_MQTT
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.beken.rf_sector import GENERIC_MAC
from custom_components.openbk.updating.record import Stage
from custom_components.openbk.updating.updates import UPDATES
from tests.homeassistant.adding import build_message
from tests.homeassistant.over_the_air import LEFT_BEHIND
from tests.homeassistant.wizard import ENGLISH, Wizard
from tests.support.addresses import refuse
from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in
from tests.support.sockets import (
    BUILD,
    CLIENT_ID,
    MAC,
    ScriptedSocket,
    add_scripted_socket,
    add_socket,
    socket_entry,
)
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]
walks = pytest.mark.walks

OTHER_MAC = "c8:47:8c:99:99:99"
TOLD = ("topic_shared", "topic_of_another", "mac_twice", "radio_lost")
ENERGY = "sensor.washing_machine_energy"
LOCK = "switch.washing_machine_child_lock"
POWER_CUT = "select.washing_machine_power_on_behavior"


@pytest.fixture(autouse=True)
def closed_pages(hass: HomeAssistant) -> None:
    """Let no web page answer."""
    hass.data[SOCKET_ACCESS] = SocketAccess(connect=refuse)


def issues(hass: HomeAssistant) -> dict[str, str]:
    """Return the texts of all issues by their keys."""
    return {
        str(issue.translation_key): ENGLISH["issues"][issue.translation_key][
            "description"
        ].format(**(issue.translation_placeholders or {}))
        for issue in ir.async_get(hass).issues.values()
        if issue.active and issue.translation_key in TOLD
    }


async def after_ten_minutes(hass: HomeAssistant) -> None:
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=601))
    await hass.async_block_till_done()


async def test_two_sockets_on_one_topic_are_both_named(hass: HomeAssistant) -> None:
    """They throw each other off the broker, and the MAC that is said alternates."""
    scripted = await add_scripted_socket(hass, socket_entry())
    await scripted.say("mac", MAC)
    await hass.async_block_till_done()
    assert not issues(hass)
    for mac in (OTHER_MAC, MAC, OTHER_MAC, MAC):
        await scripted.say("connected", "online", retain=True)
        await scripted.say("mac", mac)
    await until(lambda: "topic_shared" in issues(hass))
    text = issues(hass)["topic_shared"]
    assert MAC in text
    assert OTHER_MAC in text
    assert CLIENT_ID in text
    # One of them was given another topic.
    await after_ten_minutes(hass)
    assert not issues(hass)


async def test_energy_is_that_of_the_own_socket_alone(hass: HomeAssistant) -> None:
    """The other one's counter stands near its own, and somebody has reset that."""
    entry = socket_entry(energy_in_kwh=False)
    scripted = await add_scripted_socket(hass, entry)
    live = entry.runtime_data

    async def says(mac: str, *energies: str) -> None:
        await scripted.say("connected", "online", retain=True)
        for text in energies[:1]:
            await scripted.say("energycounter/get", text)
        await scripted.say("mac", mac)
        for text in energies[1:]:
            await scripted.say("energycounter/get", text)
        await until(lambda: live.value("mac") == mac)
        await hass.async_block_till_done()

    def energy() -> float | None:
        value = live.value("energy")
        return None if value is None else float(value)

    await says(MAC, "5000.000", "5001.000")
    assert energy() == pytest.approx(5.001)
    await says(OTHER_MAC)
    await until(lambda: live.meter.is_of_another)
    for _ in range(3):
        # From here on nothing of the other counts, also before it says who it is.
        await says(OTHER_MAC, "5020.000", "5021.000", "5022.000")
        await says(MAC, "5050.000", "5002.000")
        assert "topic_shared" in issues(hass)
        await until(lambda: energy() == pytest.approx(5.002))
    await after_ten_minutes(hass)
    assert not live.meter.is_of_another
    await scripted.say("energycounter/get", "5003.000")
    await until(lambda: energy() == pytest.approx(5.003))


async def test_the_simulated_firmware_of_two_sockets_with_one_configuration(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    await add_socket(hass, socket_entry())
    config = configuration(mosquitto)
    async with plugged_in(config), plugged_in(config, OTHER_MAC):
        await until(lambda: "topic_shared" in issues(hass))


async def test_another_socket_alone_on_the_topic_is_told(hass: HomeAssistant) -> None:
    other = socket_entry(mac=OTHER_MAC, client_id="kitchen")
    object.__setattr__(other, "title", "*Kitchen*")
    other.add_to_hass(hass)
    entry = socket_entry()
    scripted = await add_scripted_socket(hass, entry)
    await scripted.say("mac", OTHER_MAC)
    await until(lambda: "topic_of_another" in issues(hass))
    text = issues(hass)["topic_of_another"]
    assert MAC in text
    # What others chose is shown as text.
    assert rf"\*Kitchen\* ({OTHER_MAC})" in text
    # It is no better for waiting.
    await after_ten_minutes(hass)
    assert "topic_of_another" in issues(hass)
    await scripted.say("mac", MAC)
    await until(lambda: "topic_shared" in issues(hass))
    await after_ten_minutes(hass)
    assert not issues(hass)
    await scripted.say("mac", OTHER_MAC)
    await until(lambda: issues(hass))
    assert await hass.config_entries.async_remove(entry.entry_id)
    assert not issues(hass)


async def test_a_socket_that_lost_its_radio_calibration_is_told(
    hass: HomeAssistant,
) -> None:
    entry = socket_entry(mac=GENERIC_MAC)
    await add_socket(hass, entry)
    assert list(issues(hass)) == ["radio_lost"]
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert not issues(hass)


async def test_a_mac_on_two_topics_is_told_and_not_followed(
    hass: HomeAssistant,
) -> None:
    entry = socket_entry()
    await add_scripted_socket(hass, entry)
    twin = ScriptedSocket(hass, "*twin*")
    await twin.connect()
    assert await is_discovered(hass, twin) == "already_configured"
    assert entry.data["client_id"] == CLIENT_ID
    assert entry.data["address"] is None
    text = issues(hass)["mac_twice"]
    assert CLIENT_ID in text
    assert r"\*twin\*" in text
    await twin.say("connected", "offline", retain=True)
    await until(lambda: not issues(hass))


async def test_twins_that_are_found_again_and_again_cost_one_subscription(
    hass: HomeAssistant,
) -> None:
    """One that restarts says its build each time, and anybody can say a MAC."""
    entry = socket_entry()
    await add_scripted_socket(hass, entry)
    twin, other = ScriptedSocket(hass, "twin"), ScriptedSocket(hass, "other")
    await twin.connect()
    await other.connect()
    for found in (twin, twin, other, twin, other):
        assert await is_discovered(hass, found) == "already_configured"
        assert listened_to(hass) == [f"{found.client_id}/connected"]
    # The last one is told until it goes.
    assert "other" in issues(hass)["mac_twice"]
    await twin.say("connected", "offline", retain=True)
    await other.say("connected", "offline", retain=True)
    await until(lambda: not issues(hass))
    assert not listened_to(hass)

    assert await is_discovered(hass, twin) == "already_configured"
    assert issues(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    assert not issues(hass)
    assert not listened_to(hass)


def listened_to(hass: HomeAssistant) -> list[str]:
    """Return each subscription to whether another socket than that of the entry is there."""
    return [
        item.topic
        for item in hass.data["mqtt"].client.subscriptions
        if item.topic.endswith("/connected")
        and item.topic not in (f"{CLIENT_ID}/connected", "+/connected")
    ]


async def is_discovered(hass: HomeAssistant, socket: ScriptedSocket) -> str:
    """Let a socket say its build and who it is; return why its flow ended."""
    socket.heard.clear()
    flow = hass.async_create_task(
        hass.config_entries.flow.async_init(
            "openbk",
            context={"source": SOURCE_MQTT},
            data=build_message(f"{socket.client_id}/build"),
        )
    )
    await introduces_itself(hass, socket, MAC)
    return (await flow)["reason"]


async def introduces_itself(
    hass: HomeAssistant, socket: ScriptedSocket, mac: str
) -> None:
    """Let a scripted socket answer who it is, once."""
    await until(lambda: (f"cmnd/{socket.client_id}/publishAll", "") in socket.heard)
    for name, text in (
        ("build", BUILD),
        ("mac", mac),
        ("host", socket.client_id),
        ("ip", "192.168.1.9"),
    ):
        await socket.say(name, text)


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param(CLIENT_ID, id="with the old topic"),
        pytest.param(
            "obk8C999999",
            marks=walks("reconfigure -> replaced -> hardware_replaced"),
            id="anew",
        ),
    ],
)
async def test_new_hardware_takes_the_place_of_the_old(
    hass: HomeAssistant, topic: str
) -> None:
    """Entities, names and energy stay; what was set in the old one, and its calibration, go."""
    entry = socket_entry(
        tuned=True,
        undo={"own_discovery": ["SetFlag 27 1"]},
        energy_in_kwh=False,
        child_lock=True,
        power_cut={"1": "on"},
        model="A known plug",
    )
    known = {
        "gain": 1.08,
        "offset": 0.0,
        "gain_variance": 0.0,
        "offset_variance": 0.0,
        "covariance": 0.0,
        "offset_significant": False,
        "scale_uncertainty": 0.0,
        "factor": 1.5,
        "points": [],
    }
    entry.add_to_hass(hass)
    calibration = {"known": {"power": known}, "history": [], "factors": {}}
    hass.config_entries.async_update_entry(entry, options={"calibration": calibration})
    assert await hass.config_entries.async_setup(entry.entry_id)
    old = ScriptedSocket(hass)
    await old.connect()
    await until(lambda: entry.runtime_data.online)
    await old.say("energycounter/get", "123456.000")
    await until(lambda: hass.states.get(ENERGY).state == "123.456")
    registry = er.async_get(hass)
    registry.async_update_entity("switch.washing_machine", name="Laundry")
    before = {
        item.entity_id
        for item in er.async_entries_for_config_entry(registry, entry.entry_id)
    }
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)

    new = ScriptedSocket(hass, topic)
    await new.connect()
    wizard = Wizard(hass)
    wizard.look_at(await entry.start_reconfigure_flow(hass))
    await wizard.choose("replaced")
    if topic != CLIENT_ID:
        new.heard.clear()
        asked = hass.async_create_task(introduces_itself(hass, new, OTHER_MAC))
        await wizard.submit(client_id=topic)
        await asked
        assert wizard.errors == {"base": "hardware_online"}
        await old.say("connected", "offline", retain=True)
        old.deaf = True
        await until(lambda: not entry.runtime_data.online)
    updates = hass.data[UPDATES]
    updates.of(MAC).show(Stage.QUEUED)
    new.heard.clear()
    asked = hass.async_create_task(introduces_itself(hass, new, OTHER_MAC))
    await wizard.submit(client_id=topic)
    await asked
    assert wizard.errors == {"base": "hardware_updating"}
    updates.of(MAC).show(None)
    updates.of(MAC).note(LEFT_BEHIND)
    assert ir.async_get(hass).async_get_issue("openbk", f"update_{entry.entry_id}")
    new.heard.clear()
    asked = hass.async_create_task(introduces_itself(hass, new, OTHER_MAC))
    assert await wizard.submit(client_id=topic) == "hardware_replaced"
    await asked
    await hass.async_block_till_done()

    # Its place is taken; should it ever come again, it comes as it is.
    assert updates.of(MAC).record is updates.of(OTHER_MAC).record is None
    assert not ir.async_get(hass).async_get_issue("openbk", f"update_{entry.entry_id}")
    assert entry.unique_id == entry.data["mac"] == OTHER_MAC
    assert (entry.data["client_id"], entry.data["address"]) == (topic, "192.168.1.9")
    after = er.async_entries_for_config_entry(registry, entry.entry_id)
    assert {item.entity_id for item in after} == before
    assert all(item.unique_id.startswith(OTHER_MAC) for item in after)
    renamed = registry.async_get("switch.washing_machine")
    assert renamed
    assert renamed.name == "Laundry"
    (same,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert same.id == device.id
    assert same.connections == {("mac", OTHER_MAC)}
    assert not entry.runtime_data.corrections
    assert (entry.data["tuned"], entry.data["undo"]) == (False, {})
    assert entry.data["model"] == "A known plug"
    # Its counter is at another number, and is counted on from.
    await new.say("connected", "online", retain=True)
    await until(lambda: entry.runtime_data.online)
    await new.say("energycounter/get", "500.000")
    await until(lambda: hass.states.get(ENERGY).state == "123.456")
    # Nobody knows what its button and its relay do.
    for kept in (LOCK, POWER_CUT):
        assert hass.states.get(kept).state == "unknown"
    await new.say("energycounter/get", "501.000")
    await until(lambda: hass.states.get(ENERGY).state == "123.457")


@walks("replaced -> replaced")
@pytest.mark.parametrize(
    ("mac", "error"),
    [
        (MAC, "hardware_same"),
        ("c8:47:8c:aa:aa:aa", "hardware_taken"),
        (None, "socket_silent"),
    ],
)
async def test_what_cannot_take_its_place_is_refused(
    hass: HomeAssistant, mac: str | None, error: str
) -> None:
    entry = socket_entry()
    scripted = await add_scripted_socket(hass, entry)
    socket_entry(mac="c8:47:8c:aa:aa:aa", client_id="kitchen").add_to_hass(hass)
    wizard = Wizard(hass)
    wizard.look_at(await entry.start_reconfigure_flow(hass))
    await wizard.choose("replaced")
    scripted.heard.clear()
    if mac is not None:
        asked = hass.async_create_task(introduces_itself(hass, scripted, mac))
    assert await wizard.submit(client_id=CLIENT_ID) == "replaced"
    assert wizard.errors == {"base": error}
    if mac is not None:
        await asked
    assert entry.unique_id == MAC
    await wizard.close()
