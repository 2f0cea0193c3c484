"""A socket that speaks is there, whatever the broker kept; one that does not is not."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.openbk.live.presence import Presence
from custom_components.openbk.pyopenbk.obk import messages
from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in
from tests.support.sockets import (
    BLOW,
    BUILD,
    CLIENT_ID,
    ScriptedSocket,
    add_scripted_socket,
    add_socket,
    connect_mqtt,
    listen,
    socket_entry,
)
from tests.support.waiting import until

RELAY = "switch.washing_machine"
connected = pytest.mark.usefixtures("mqtt_connection")


class Timers:
    """The timers of one presence, which only run out when a test says so."""

    def __init__(self) -> None:
        """Begin without any."""
        self.running: dict[int, tuple[float, Callable[[], None]]] = {}

    def later(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Note a timer."""
        number = len(self.running) + sum(self.running)
        self.running[number] = (seconds, action)
        return lambda: self.running.pop(number, None) and None

    def run_out(self) -> float:
        """Let the only timer run out; return after how long."""
        ((number, (seconds, action)),) = self.running.items()
        del self.running[number]
        action()
        return seconds


class Watched:
    """A presence, its timers and what it did."""

    def __init__(self) -> None:
        """Begin with a socket that nothing is known of."""
        self.timers = Timers()
        self.did: list[str] = []
        self.presence = Presence(
            came=lambda: self.did.append("came"),
            gone=lambda: self.did.append("gone"),
            ask=lambda: self.did.append("ask"),
            later=self.timers.later,
        )


def test_birth_and_last_will() -> None:
    watched = Watched()
    presence = watched.presence
    presence.published(True, retained=True)
    presence.published(True, retained=True)
    assert watched.did == ["came"]
    presence.published(False, retained=False)
    assert watched.did == ["came", "gone"]
    assert not presence.online


def test_a_new_connection_begins_anew() -> None:
    watched = Watched()
    watched.presence.published(True, retained=False)
    watched.presence.published(True, retained=False)
    assert watched.did == ["came", "gone", "came"]


def test_one_that_is_said_to_be_offline_and_speaks_is_asked() -> None:
    watched = Watched()
    presence = watched.presence
    presence.published(True, retained=True)
    presence.published(False, retained=False)
    watched.did.clear()
    assert not presence.heard(answer=False)
    assert presence.in_doubt
    # What was on its way when the connection broke is no answer.
    assert not presence.heard(answer=False)
    assert watched.did == ["ask"]
    assert presence.heard(answer=True)
    assert watched.did == ["ask", "came"]
    # The broker tells it to whoever comes next, too; it is no newer for that.
    presence.published(False, retained=True)
    assert presence.online


def test_one_that_is_offline_is_asked_by_itself_but_not_for_ever() -> None:
    watched = Watched()
    watched.presence.published(False, retained=True)
    waits = []
    while watched.timers.running:
        waits.append(watched.timers.run_out())
    assert watched.did == ["ask", "ask"]
    assert waits == [5.0, 10.0, 60.0, 10.0]
    assert not watched.presence.online


def test_one_that_was_revived_and_answers_no_more_is_gone() -> None:
    watched = Watched()
    presence = watched.presence
    presence.heard(answer=False)
    presence.heard(answer=True)
    assert presence.online
    presence.silent()
    assert watched.did == ["ask", "came", "gone"]


def test_one_that_says_itself_that_it_is_there_may_be_silent() -> None:
    watched = Watched()
    watched.presence.published(True, retained=False)
    watched.presence.silent()
    assert watched.presence.online


def test_one_that_only_the_broker_says_is_there_is_gone_when_it_is_silent() -> None:
    """The mains were cut: the broker kept the birth of a socket that was unplugged since."""
    watched = Watched()
    presence = watched.presence
    presence.published(True, retained=True)
    presence.silent()
    assert watched.did == ["came", "gone"]
    assert not presence.in_doubt
    # It says what the broker says, so it need not be asked.
    assert presence.heard(answer=False)
    assert watched.did == ["came", "gone", "came"]
    presence.silent()
    assert presence.online
    # What was kept before counts no more once it was said to be gone.
    presence.published(False, retained=False)
    assert not presence.heard(answer=False)


def test_without_a_channel_anything_is_an_answer() -> None:
    watched = Watched()
    watched.presence.any_answers = True
    assert not watched.presence.heard(answer=False)
    assert watched.presence.heard(answer=False)
    assert watched.did == ["ask", "came"]


def test_nothing_is_left_behind() -> None:
    watched = Watched()
    watched.presence.published(False, retained=True)
    watched.presence.stop()
    assert not watched.timers.running


def available(hass: HomeAssistant) -> dict[str, bool]:
    """Return which entities of the socket are available; some have nothing to show yet."""
    return {
        entity_id: hass.states.get(entity_id).state != "unavailable"
        for entity_id in (
            RELAY,
            "switch.washing_machine_child_lock",
            "button.washing_machine_restart",
            "sensor.washing_machine_voltage",
        )
    }


@pytest.fixture
def entry() -> MockConfigEntry:
    return socket_entry()


@pytest.fixture
async def scripted(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry, entry: MockConfigEntry
) -> ScriptedSocket:
    """Set the entry up, and speak for its socket, of which everything is known."""
    scripted = await add_scripted_socket(hass, entry)
    await until(lambda: available(hass)[RELAY])
    return scripted


@pytest.mark.e2e
@connected
async def test_a_will_that_comes_late_takes_nothing_away_for_long(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """The broker noticed the broken connection after the socket had made a new one."""
    async with plugged_in(configuration(mosquitto)) as socket:
        entry = socket_entry()
        await add_socket(hass, entry)
        await until(lambda: all(available(hass).values()))
        await mqtt.async_publish(hass, f"{CLIENT_ID}/connected", "offline", 1, True)
        await until(lambda: not any(available(hass).values()))
        await until(lambda: all(available(hass).values()))
        await hass.services.async_call(
            "switch", "turn_on", {"entity_id": RELAY}, blocking=True
        )
        await until(lambda: socket.firmware.relay(1))
        await until(lambda: hass.states.get(RELAY).state == "on")

        # Home Assistant starts anew and finds nothing but the flag.
        assert await hass.config_entries.async_reload(entry.entry_id)
        await until(lambda: all(available(hass).values()))

        # Then it really goes.
        await socket.power_off()
        await until(lambda: not any(available(hass).values()))
        assert not entry.runtime_data.online


@pytest.mark.e2e
@connected
async def test_entities_of_one_socket_agree_about_it(
    hass: HomeAssistant, entry: MockConfigEntry, scripted: ScriptedSocket
) -> None:
    """What is said by one that may not be there shows nowhere."""
    scripted.deaf = True
    scripted.heard.clear()
    await scripted.say("connected", "offline", retain=True)
    await until(lambda: not any(available(hass).values()))
    await scripted.say("voltage/get", "230.0")
    await until(lambda: entry.runtime_data.presence.in_doubt)
    await until(lambda: (f"{CLIENT_ID}/1/get", "") in scripted.heard)
    await scripted.say("voltage/get", "231.0")
    await scripted.say("button/get", "single")
    await hass.async_block_till_done()
    assert not any(available(hass).values())
    # A command may be tried, as far as anybody knows.
    await entry.runtime_data.async_set_channel(1, 1)
    await until(lambda: (f"{CLIENT_ID}/1/set", "1") in scripted.heard)
    # It answers: now everything is there, and its next numbers show.
    await scripted.say("1/get", "1")
    await until(lambda: hass.states.get(RELAY).state == "on")
    await scripted.say("voltage/get", "231.0")
    await until(lambda: all(available(hass).values()))


@pytest.mark.e2e
@connected
async def test_one_that_was_revived_by_a_straggler_is_gone_again(
    hass: HomeAssistant, entry: MockConfigEntry, scripted: ScriptedSocket
) -> None:
    """Two messages that were under way when the connection broke."""
    scripted.deaf = True
    seen: list[bool] = []
    live = entry.runtime_data
    stop = live.listen_online(lambda: seen.append(live.online))
    await scripted.say("connected", "offline", retain=True)
    await scripted.say("1/get", "0")
    await scripted.say("1/get", "1")
    await until(lambda: seen == [False, True])
    for _ in range(6):
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=31))
        await hass.async_block_till_done()
    assert seen == [False, True, False]
    stop()
    assert not any(available(hass).values())


@pytest.mark.e2e
@connected
async def test_a_socket_without_channels_is_asked_for_its_list(
    hass: HomeAssistant,
) -> None:
    meter = type(BLOW).of(pin for pin in BLOW.pins if not pin.role.has_channel)
    entry = socket_entry(meter)
    scripted = await add_scripted_socket(hass, entry)
    await scripted.say("connected", "offline", retain=True)
    await until(lambda: not entry.runtime_data.online)
    await scripted.say("power/get", "12.00")
    await until(lambda: (f"cmnd/{CLIENT_ID}/publishAll", "") in scripted.heard)
    await scripted.say("host", CLIENT_ID)
    await scripted.say("build", BUILD)
    await until(lambda: entry.runtime_data.online)


@pytest.mark.e2e
@connected
@pytest.mark.parametrize(
    ("domain", "action", "data"),
    [
        ("switch", "turn_on", {"entity_id": "switch.washing_machine_child_lock"}),
        (
            "select",
            "select_option",
            {
                "entity_id": "select.washing_machine_power_on_behavior",
                "option": "off",
            },
        ),
        (
            "select",
            "select_option",
            {"entity_id": "select.washing_machine_wi_fi_led_mode", "option": "off"},
        ),
        ("button", "press", {"entity_id": "button.washing_machine_reset_energy"}),
        ("button", "press", {"entity_id": "button.washing_machine_restart"}),
    ],
)
async def test_what_a_socket_may_not_have_got_is_not_said_to_be_done(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    scripted: ScriptedSocket,
    domain: str,
    action: str,
    data: dict[str, str],
) -> None:
    """A broker that has just restarted still has its flag, and the socket is not back yet."""
    scripted.deaf = True
    noted = dict(entry.data)
    before = hass.states.get(data["entity_id"])
    with pytest.raises(HomeAssistantError) as failed:
        await hass.services.async_call(domain, action, data, blocking=True)
    assert failed.value.translation_key == "command_unanswered"
    assert entry.data == noted
    if domain != "button":
        assert hass.states.get(data["entity_id"]) == before
    # It is there after all, and the same can be done again.
    scripted.deaf = False
    await hass.services.async_call(domain, action, data, blocking=True)
    await hass.async_block_till_done()
    assert domain == "button" or entry.data != noted


@pytest.mark.e2e
@connected
async def test_nobody_waits_for_a_socket_that_is_not_listened_to_any_more(
    hass: HomeAssistant, entry: MockConfigEntry, scripted: ScriptedSocket
) -> None:
    scripted.deaf = True
    live = entry.runtime_data
    sending = asyncio.ensure_future(live.async_command("SetFlag 41 1"))
    await until(lambda: live.presence.waits)
    before = hass.loop.time()
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(HomeAssistantError) as failed:
        await sending
    assert failed.value.translation_key == "command_unanswered"
    assert hass.loop.time() - before < 5


async def test_only_the_word_that_it_was_asked_for_is_an_answer() -> None:
    watched = Watched()
    presence = watched.presence
    presence.published(True, retained=True)
    asking = asyncio.ensure_future(presence.answers(lambda: None, "0badcafe"))
    old = asyncio.ensure_future(presence.answers(lambda: None))
    await asyncio.sleep(0)
    presence.any_answers = True
    presence.spoke(answer=True)
    assert await old
    presence.said("deadbeef")
    await asyncio.sleep(0)
    assert presence.waits
    assert not asking.done()
    presence.said("0badcafe")
    assert await asking
    assert not presence.waits
    # Nor is it one that it says over another connection.
    asking = asyncio.ensure_future(presence.answers(lambda: None, "0badcafe"))
    await asyncio.sleep(0)
    presence.published(True, retained=False)
    presence.said("0badcafe")
    assert not await asking


@pytest.mark.e2e
@connected
async def test_what_a_socket_says_by_itself_is_no_answer_to_a_command(
    hass: HomeAssistant,
) -> None:
    """Its channel comes now and then, also where it never heard of the command."""
    entry = socket_entry(firmware=BUILD)
    await add_socket(hass, entry)
    scripted = ScriptedSocket(hass)
    await scripted.connect()
    await until(lambda: available(hass)[RELAY])
    scripted.deaf = True
    sending = asyncio.ensure_future(entry.runtime_data.async_command("SetFlag 41 1"))
    asked = f"cmnd/{CLIENT_ID}/publish"
    await until(lambda: asked in dict(scripted.heard))
    topic, word = dict(scripted.heard)[asked].split(" ")
    await scripted.say("1/get", "1")
    # That of another command, which comes late.
    await scripted.say(f"{topic}/get", "0badcafe")
    await scripted.say("1/get", "0")
    await scripted.say("1/get", "1")
    await until(lambda: hass.states.get(RELAY).state == "on")
    await hass.async_block_till_done()
    assert not sending.done()
    await scripted.say(f"{topic}/get", word)
    await sending


@pytest.mark.e2e
@connected
async def test_firmware_that_is_too_old_to_say_a_word_is_asked_for_a_channel(
    hass: HomeAssistant,
) -> None:
    entry = socket_entry(firmware="OpenBK7231N 1.15.576 Mar 11 2023 09:29:36")
    await add_socket(hass, entry)
    scripted = ScriptedSocket(hass)
    await scripted.connect()
    await until(lambda: available(hass)[RELAY])
    scripted.heard.clear()
    await entry.runtime_data.async_command("SetFlag 41 1")
    command = (f"cmnd/{CLIENT_ID}/SetFlag", "41 1")
    question = (f"{CLIENT_ID}/1/get", "")
    assert [item for item in scripted.heard if item in (command, question)] == [
        command,
        question,
    ]
    assert f"cmnd/{CLIENT_ID}/publish" not in dict(scripted.heard)


@pytest.mark.e2e
@connected
async def test_no_word_is_left_at_the_broker_by_a_socket_that_has_everything_kept(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    topic = messages.heard_topic(CLIENT_ID)
    async with plugged_in(configuration(mosquitto, flags=1 << 10 | 1 << 7)) as socket:
        # One that came when Home Assistant was not there any more.
        await mqtt.async_publish(hass, topic, "0badcafe", 1, True)
        entry = socket_entry(firmware=BUILD)
        await add_socket(hass, entry)
        await until(lambda: entry.runtime_data.value("channel_1") == 0)
        heard: list[mqtt.ReceiveMessage] = []
        await listen(hass, f"{CLIENT_ID}/+/+/get", heard.append)
        await entry.runtime_data.async_command("SetFlag 41 1")
        assert socket.firmware.settings.values.flags >> 41 & 1
        # The word that nobody asked for is forgotten, too, and may be so before the other is said.
        await until(lambda: {each.payload for each in heard} - {"", "0badcafe"})
        await until(lambda: heard[-1].payload == "")
        assert {message.topic for message in heard} == {topic}
        await hass.config_entries.async_unload(entry.entry_id)
    # Whoever comes next is told what the broker keeps, and then what is new.
    kept: list[mqtt.ReceiveMessage] = []
    await listen(hass, f"{CLIENT_ID}/#", kept.append)
    await mqtt.async_publish(hass, f"{CLIENT_ID}/new", "x")
    # What the broker says of the socket that has gone may still come after it.
    await until(lambda: f"{CLIENT_ID}/new" in {message.topic for message in kept})
    topics = {message.topic for message in kept if message.retain}
    assert f"{CLIENT_ID}/1/get" in topics
    assert topic not in topics


async def test_one_that_connects_anew_meanwhile_may_have_missed_it() -> None:
    watched = Watched()
    presence = watched.presence
    presence.published(True, retained=True)
    asking = asyncio.ensure_future(presence.answers(lambda: None))
    await asyncio.sleep(0)
    assert presence.waits
    # Something that nobody asked for proves nothing.
    presence.spoke(answer=False)
    presence.published(True, retained=False)
    presence.spoke(answer=True)
    assert not await asking
    assert not presence.waits
    asking = asyncio.ensure_future(presence.answers(lambda: None))
    await asyncio.sleep(0)
    presence.spoke(answer=True)
    assert await asking


@pytest.mark.e2e
async def test_a_command_that_the_broker_keeps_to_itself_is_not_said_to_be_done(
    socket_enabled: None,
    hass: HomeAssistant,
    mock_hass_config: None,
    hass_storage: dict[str, object],
) -> None:
    """Its access list lets Home Assistant switch and hear, but send no commands."""
    access = "user home\ntopic deny cmnd/#\ntopic readwrite #\nuser plug\ntopic readwrite #\n"
    with Broker(users={"home": "x", "plug": "y"}, access=access) as broker:
        own = await connect_mqtt(hass, broker, username="home", password="x")
        config = configuration(broker, mqtt_username="plug", mqtt_password="y")
        async with plugged_in(config) as socket:
            entry = socket_entry(firmware=BUILD)
            await add_socket(hass, entry)
            await until(lambda: entry.runtime_data.value("channel_1") == 0)
            await entry.runtime_data.async_set_channel(1, 1)
            await until(lambda: socket.firmware.relay(1))
            await until(lambda: entry.runtime_data.value("channel_1") == 1)
            with pytest.raises(HomeAssistantError) as failed:
                await hass.services.async_call(
                    "switch",
                    "turn_on",
                    {"entity_id": "switch.washing_machine_child_lock"},
                    blocking=True,
                )
            assert failed.value.translation_key == "command_unanswered"
            assert "child_lock" not in entry.data
            await hass.config_entries.async_unload(entry.entry_id)
        await hass.config_entries.async_unload(own.entry_id)
