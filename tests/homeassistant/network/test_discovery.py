"""Sockets that run OpenBeken already are noticed, asked and followed."""

import asyncio
from dataclasses import replace

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.live.entries import async_entry_of, async_follow
from custom_components.openbk.network import discovery
from custom_components.openbk.network.consoles import console_at
from custom_components.openbk.network.discovery import Answers, Evidence
from custom_components.openbk.pyopenbk.beken.rf_sector import GENERIC_MAC
from custom_components.openbk.pyopenbk.obk.console import (
    PasswordError,
    UnreachableError,
)
from custom_components.openbk.pyopenbk.obk.messages import channel_key
from custom_components.openbk.pyopenbk.obk.tuning import TuneStep, propose_by_topics
from custom_components.openbk.pyopenbk.profile import SocketProfile
from tests.homeassistant.adding import build_message
from tests.support.broker import Broker, free_port
from tests.support.simulated import configuration, plugged_in, stranger
from tests.support.sockets import (
    BLOW,
    BUILD,
    CLIENT_ID,
    MAC,
    TWO_COILS,
    ScriptedSocket,
    add_socket,
    listen,
    socket_entry,
)
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Core's MQTT client leaves its periodic timer behind."""
    return True


def test_an_answer_is_of_one_socket() -> None:
    answers = Answers(mac=MAC, client_id="hall", chip="BK7231N", profile=BLOW)
    assert answers.is_of(MAC.upper(), "kitchen")
    assert not answers.is_of("c8:47:8c:99:99:99", "hall")
    # A MAC that many have tells none from another.
    lost = replace(answers, mac=GENERIC_MAC)
    assert lost.is_of(GENERIC_MAC, "hall")
    assert not lost.is_of(GENERIC_MAC, "kitchen")


def test_a_guess_has_no_more_pins_than_a_chip() -> None:
    """With flag 39 a socket says all 64 channels."""
    values = {channel_key(channel): 0 for channel in range(64)}
    profile = Evidence(client_id=CLIENT_ID, values=values).guess_profile()
    assert [relay.channel for relay in profile.relays] == [*range(20)]


def test_only_builds_of_openbeken_count() -> None:
    assert (
        discovery.client_id_of(build_message(f"{CLIENT_ID}/build", BUILD)) == CLIENT_ID
    )
    for topic, payload in (
        (f"{CLIENT_ID}/build", "1.0"),
        ("router/build", "OpenWrt 24.10"),
        (f"{CLIENT_ID}/sub/build", BUILD),
        (f"{CLIENT_ID}/connected", BUILD),
        ("/build", BUILD),
    ):
        assert discovery.client_id_of(build_message(topic, payload)) is None


async def test_a_socket_whose_name_has_blanks_is_found_and_followed(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    name = "Kitchen & Bad 1"
    assert discovery.client_id_of(build_message(f"{name}/build", BUILD)) == name
    async with plugged_in(stranger(mosquitto, mqtt_client_id=name)) as plugged:
        await until(lambda: plugged.firmware.running and plugged.firmware.mqtt.online)
        (found,) = await discovery.async_find(hass)
        assert (found.client_id, found.mac) == (name, MAC)
        # Renamed on its own page while Home Assistant had it under another name.
        entry = socket_entry()
        await add_socket(hass, entry)
        assert async_follow(hass, entry, client_id=name)
        await until(lambda: entry.data["client_id"] == name)
        await until(lambda: entry.runtime_data.value("channel_1") == 0)
        await entry.runtime_data.async_set_channel(1, 1)
        await until(lambda: plugged.firmware.relay(1))
        assert await hass.config_entries.async_unload(entry.entry_id)


async def test_evidence_of_a_socket_with_factory_flags(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with plugged_in(stranger(mosquitto)) as plugged:
        await until(lambda: plugged.firmware.running and plugged.firmware.mqtt.online)
        evidence = await discovery.async_gather(hass, CLIENT_ID, parts=True)
    assert evidence.mac == MAC
    assert evidence.build
    assert evidence.address == "127.0.0.1"
    assert evidence.channels == (1,)
    profile = evidence.guess_profile()
    assert profile.has_meter
    assert [relay.channel for relay in profile.relays] == [1]


@pytest.mark.parametrize("metered", [True, False])
async def test_a_meter_is_asked_for_and_not_waited_for(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    metered: bool,
) -> None:
    pins = [pin for pin in BLOW.pins if metered or not pin.role.name.startswith("BL")]
    config = stranger(mosquitto, SocketProfile.of(pins))
    async with plugged_in(config, speed=1.0) as plugged:
        await until(lambda: plugged.firmware.running and plugged.firmware.mqtt.online)
        # It says its readings by itself once in an hour, and its list is over.
        plugged.firmware.console.execute("VCPPublishIntervals 3600 3600")
        await asyncio.sleep(20)
        began = hass.loop.time()
        evidence = await discovery.async_gather(hass, CLIENT_ID, parts=True)
    # The list takes twelve seconds.
    assert hass.loop.time() - began < 30
    assert evidence.has_meter is metered
    assert evidence.channels == (1,)


async def test_pins_and_settings_over_http(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with plugged_in(stranger(mosquitto)) as plugged:
        await until(lambda: plugged.firmware.http_address)
        answers = await discovery.async_ask(hass, str(plugged.firmware.http_address))
    assert answers.mac == MAC
    assert answers.profile.pins == BLOW.pins
    assert {item.step for item in answers.proposal().tunings} == {
        TuneStep.RETAIN_RELAYS,
        TuneStep.STARTUP_COMMAND,
    }


async def test_socket_with_two_coils_is_taken_up_as_it_runs(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with plugged_in(stranger(mosquitto, TWO_COILS)) as plugged:
        await until(lambda: plugged.firmware.http_address)
        answers = await discovery.async_ask(hass, str(plugged.firmware.http_address))
    assert [relay.channel for relay in answers.profile.relays] == [1]
    steps = [item.step for item in answers.proposal().tunings]
    assert TuneStep.CHANNEL_TYPE in steps


async def test_password_and_closed_server(
    socket_enabled: None, hass: HomeAssistant, mosquitto: Broker
) -> None:
    config = configuration(mosquitto, web_password="correct")
    async with plugged_in(config) as plugged:
        await until(lambda: plugged.firmware.http_address)
        address = str(plugged.firmware.http_address)
        with pytest.raises(PasswordError):
            await discovery.async_ask(hass, address)
        assert (await discovery.async_ask(hass, address, "correct")).mac == MAC
    with pytest.raises(UnreachableError):
        await discovery.async_ask(hass, f"127.0.0.1:{free_port()}")


async def test_tuning_has_effect_and_is_taken_back(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with plugged_in(stranger(mosquitto)) as plugged:
        await until(lambda: plugged.firmware.http_address)
        address = str(plugged.firmware.http_address)
        await until(lambda: plugged.firmware.mqtt.online)
        before = await discovery.async_ask(hass, address)
        console = console_at(hass, address)
        for tuning in before.proposal().tunings:
            await discovery.async_tune(hass, CLIENT_ID, tuning, console, build=BUILD)
        settings = plugged.firmware.settings
        await until(lambda: settings.values.startup_command.startswith("backlog"))
        await until(lambda: settings.values.flags == (1 << 10) | (1 << 21))
        # The start-up command was run as well: the button reports now.
        presses: list[str] = []
        await listen(
            hass,
            f"{CLIENT_ID}/button/get",
            lambda message: presses.append(str(message.payload)),
        )
        plugged.firmware.press_button(11)
        await until(lambda: "single" in presses)
        for tuning in before.proposal().tunings:
            await discovery.async_take_back(
                hass, CLIENT_ID, tuning.undo, console, build=BUILD
            )
        assert settings.values.startup_command == ""
        assert settings.values.flags == 1 << 10


async def test_one_flag_is_set_over_mqtt_where_the_web_page_is_closed(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    [tuning] = propose_by_topics().tunings
    heard: list[mqtt.ReceiveMessage] = []
    await listen(hass, f"{CLIENT_ID}/connected", heard.append)
    async with plugged_in(stranger(mosquitto, flags=1 << 10 | 1 << 50)) as plugged:
        # It says so behind its own subscriptions.
        await until(lambda: heard)
        settings = plugged.firmware.settings
        await discovery.async_tune(hass, CLIENT_ID, tuning, None, build=BUILD)
        await until(lambda: settings.values.flags == 1 << 10)
        await discovery.async_take_back(hass, CLIENT_ID, tuning.undo, None, build=BUILD)
        await until(lambda: settings.values.flags == 1 << 10 | 1 << 50)


async def test_entry_follows_its_socket(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    assert async_entry_of(hass, client_id=CLIENT_ID) is entry
    assert async_entry_of(hass, mac=MAC) is entry
    assert async_entry_of(hass, client_id="other") is None
    assert not async_follow(hass, entry, client_id=CLIENT_ID)
    assert async_follow(hass, entry, client_id="renamed", address="127.0.0.9")
    await hass.async_block_till_done()
    renamed = ScriptedSocket(hass, "renamed")
    await renamed.connect()
    relay = "switch.washing_machine"
    await until(lambda: hass.states.get(relay).state == "off")
    assert entry.data["address"] == "127.0.0.9"


async def test_probe_asks_who_is_online_and_unknown(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    await add_socket(hass, socket_entry())
    for client_id, payload in (
        (CLIENT_ID, "online"),
        ("obkAAAAAAAA", "online"),
        ("obkBBBBBBBB", "offline"),
        ("fridge", "yes"),
    ):
        await mqtt.async_publish(hass, f"{client_id}/connected", payload, 1, True)
    stranger_socket = ScriptedSocket(hass, "obkAAAAAAAA")
    await stranger_socket.connect()
    assert await discovery.async_probe(hass) == ["obkAAAAAAAA"]
    await until(lambda: ("cmnd/obkAAAAAAAA/publishAll", "") in stranger_socket.heard)
    assert not any(
        item.topic == "+/connected" for item in hass.data["mqtt"].client.subscriptions
    )


async def test_a_change_over_mqtt_counts_only_when_the_socket_answers_after_it(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    (tuning,) = propose_by_topics().tunings
    scripted = ScriptedSocket(hass)
    await scripted.connect()
    scripted.deaf = True
    tuned = asyncio.ensure_future(
        discovery.async_tune(hass, CLIENT_ID, tuning, None, build=BUILD)
    )
    asked = f"cmnd/{CLIENT_ID}/publish"
    await until(lambda: asked in dict(scripted.heard))
    assert (f"cmnd/{CLIENT_ID}/SetFlag", "50 0") in scripted.heard
    # It says so by itself, as it does whenever Home Assistant or a connection is new.
    await scripted.say("host", CLIENT_ID)
    await scripted.say("build", BUILD)
    with pytest.raises(UnreachableError):
        await tuned
    scripted.deaf = False
    await discovery.async_take_back(hass, CLIENT_ID, tuning.undo, None, build=BUILD)
    # Of firmware that cannot be told a word, its list is an answer.
    scripted.heard.clear()
    old = asyncio.ensure_future(
        discovery.async_take_back(hass, CLIENT_ID, tuning.undo, None, build=None)
    )
    await until(lambda: (f"cmnd/{CLIENT_ID}/publishAll", "") in scripted.heard)
    assert not old.done()
    await scripted.say("host", CLIENT_ID)
    await old
    scripted.deaf = True
    async with plugged_in(configuration(mosquitto, flags=1 << 50)) as plugged:
        await until(lambda: plugged.firmware.running and plugged.firmware.mqtt.online)
        await discovery.async_tune(hass, CLIENT_ID, tuning, None, build=BUILD)
        await until(lambda: not plugged.firmware.settings.values.flags >> 50 & 1)
