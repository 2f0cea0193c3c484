"""Settings that a socket does not report are read where its web server is open."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.calibrating.sampling import open_sampler
from custom_components.openbk.pyopenbk.metering.session import Method
from custom_components.openbk.pyopenbk.profile import SocketProfile
from simulator.openbeken.release import Release
from tests.homeassistant.options import begin, go_on
from tests.support.addresses import lead_to
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, configuration, plugged_in
from tests.support.sockets import (
    BLOW,
    BUILD,
    add_scripted_socket,
    add_socket,
    connect_mqtt,
    socket_entry,
)
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

LOCK = "switch.washing_machine_child_lock"
POWER_CUT = "select.washing_machine_power_on_behavior"
LOCKED = 1 << 41 | 1 << 21 | 1 << 10
STAYS_ON = (0, 1, *([0] * 62))


def state(hass: HomeAssistant, entity_id: str) -> tuple[str, bool]:
    """Return a state, and whether Home Assistant says that it only assumes it."""
    found = hass.states.get(entity_id)
    assert found
    return found.state, bool(found.attributes.get("assumed_state"))


async def add(
    hass: HomeAssistant, plugged: PluggedSocket, **data: Any
) -> MockConfigEntry:
    """Set a socket up; all addresses lead to the simulated one."""
    lead_to(hass, plugged)
    entry = socket_entry(address="127.0.0.1", **data)
    await add_socket(hass, entry)
    await until(lambda: plugged.firmware.running and plugged.firmware.http_address)
    return entry


async def test_open_server_tells(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    config = configuration(mosquitto, flags=LOCKED, start_values=STAYS_ON)
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged)
        await until(lambda: state(hass, LOCK) == ("on", False))
        assert state(hass, POWER_CUT) == ("on", False)

        # The change is shown at once, and is what the socket has later.
        await hass.services.async_call(
            "switch", "turn_off", {"entity_id": LOCK}, blocking=True
        )
        await hass.services.async_call(
            "select",
            "select_option",
            {"entity_id": POWER_CUT, "option": "last"},
            blocking=True,
        )
        assert state(hass, LOCK) == ("off", False)
        await until(lambda: plugged.firmware.settings.values.flags == LOCKED ^ 1 << 41)
        read: list[object] = []
        entry.runtime_data.readback.listeners.add(lambda: read.append(1))
        await until(lambda: read)
        assert state(hass, LOCK) == ("off", False)
        assert state(hass, POWER_CUT) == ("last", False)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_the_chip_of_an_older_release_is_learnt(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """Before 1.17.485 its build names none (new_mqtt.c), and without it there are no updates."""
    release = Release(version="1.17.360", built="Dec 17 2023 10:00:00")
    config = configuration(mosquitto, web_password="secret")
    async with plugged_in(config, release=release) as plugged:
        entry = await add(hass, plugged)
        await until(lambda: entry.data["firmware"] == release.build)
        device = entry.runtime_data.device
        assert (device.hw_version, device.sw_version) == (None, "1.17.360")

        plugged.firmware.settings.change(web_password="")
        entry.runtime_data.readback.begin()
        today = "OpenBK7231N 1.17.360 Dec 17 2023 10:00:00"
        await until(lambda: entry.data["firmware"] == today)
        device = entry.runtime_data.device
        assert (device.hw_version, device.sw_version) == ("BK7231N", "1.17.360")
    await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        # One that we flashed began without a lock and remembers its relay.
        ({}, ("off", "last")),
        ({"tuned": False}, ("unknown", "unknown")),
        (
            {"tuned": False, "child_lock": True, "power_cut": {"1": "off"}},
            ("on", "off"),
        ),
    ],
)
async def test_closed_server_leaves_an_assumption(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    data: dict[str, Any],
    shown: tuple[str, str],
) -> None:
    config = configuration(mosquitto, web_password="secret")
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged, **data)
        await until(lambda: state(hass, LOCK)[0] != "unavailable")
        await hass.async_block_till_done(wait_background_tasks=True)
        assert state(hass, LOCK) == (shown[0], True)
        assert state(hass, POWER_CUT) == (shown[1], True)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_password_that_was_typed_opens_the_settings_at_its_address_alone(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    config = configuration(
        mosquitto, web_password="secret", flags=LOCKED, start_values=STAYS_ON
    )
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged, tuned=False)
        await until(lambda: state(hass, LOCK)[0] != "unavailable")
        await hass.async_block_till_done(wait_background_tasks=True)
        assert state(hass, LOCK) == ("unknown", True)
        page = await begin(hass, entry, "firmware")
        assert (await go_on(hass, page, password="secret"))["type"] == "abort"
        await until(lambda: state(hass, LOCK) == ("on", False))
        assert state(hass, POWER_CUT) == ("on", False)
        async with open_sampler(hass, entry.runtime_data, ["power"]) as sampler:
            assert sampler.method is Method.HTTP

        # Anybody on the broker may say that the socket has moved.
        moved = {**entry.data, "address": "192.0.2.7"}
        hass.config_entries.async_update_entry(entry, data=moved)
        entry.runtime_data.readback.begin()
        await until(lambda: state(hass, LOCK) == ("unknown", True))
    await hass.config_entries.async_unload(entry.entry_id)


async def test_what_another_socket_says_at_the_address_is_not_taken_for_ours(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    config = configuration(mosquitto, flags=LOCKED | 1 << 40, start_values=STAYS_ON)
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged, tuned=False)
        await until(lambda: state(hass, LOCK) == ("on", False))
        data = {**entry.data, "mac": "c8:47:8c:00:00:99", "energy_in_kwh": False}
        hass.config_entries.async_update_entry(entry, data=data)
        entry.runtime_data.readback.begin()
        await until(lambda: state(hass, LOCK)[1])
        assert state(hass, POWER_CUT)[1]
        assert entry.data["energy_in_kwh"] is False
    await hass.config_entries.async_unload(entry.entry_id)


async def test_what_a_socket_got_and_did_not_say_is_shown_once_it_is_read(
    socket_enabled: None,
    hass: HomeAssistant,
    mock_hass_config: None,
    hass_storage: dict[str, object],
) -> None:
    """The command came through, but not the question after it."""
    users = {"home": "x", "plug": "y"}
    access = "user home\ntopic deny cmnd/+/publish\ntopic readwrite #\nuser plug\ntopic readwrite #\n"
    with Broker(users=users, access=access) as broker:
        own = await connect_mqtt(hass, broker, username="home", password="x")
        config = configuration(broker, mqtt_username="plug", mqtt_password="y")
        async with plugged_in(config) as plugged:
            entry = await add(hass, plugged, firmware=BUILD)
            await until(lambda: state(hass, LOCK) == ("off", False))
            with pytest.raises(HomeAssistantError) as failed:
                await hass.services.async_call(
                    "switch", "turn_on", {"entity_id": LOCK}, blocking=True
                )
            assert failed.value.translation_key == "command_unanswered"
            await until(lambda: state(hass, LOCK) == ("on", False))
            assert "child_lock" not in entry.data
            await hass.config_entries.async_unload(entry.entry_id)
        await hass.config_entries.async_unload(own.entry_id)


async def test_the_unit_of_energy_is_nothing_to_a_socket_without_a_meter(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    lamp = SocketProfile.of(
        [pin for pin in BLOW.pins if "BL0937" not in pin.role.firmware_name], "CB2S"
    )
    config = configuration(mosquitto, lamp, flags=LOCKED | 1 << 40)
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged, profile=lamp, tuned=False)
        await until(lambda: state(hass, LOCK) == ("on", False))
        assert "energy_in_kwh" not in entry.data
    await hass.config_entries.async_unload(entry.entry_id)


async def test_power_that_is_fed_in_is_shown_where_the_socket_says_so(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """A solar inverter is behind it, and flag 25 lets the firmware say numbers below zero."""

    def power() -> object:
        return entry.runtime_data.value("power")

    entry = socket_entry()
    scripted = await add_scripted_socket(hass, entry)
    await scripted.say("voltage/get", "230.0")
    await scripted.say("current/get", "1.500")
    await scripted.say("power/get", "12.00")
    await until(lambda: power() == 12)
    # Without it, no socket measures such a number.
    await scripted.say("power/get", "-345.00")
    await scripted.say("voltage/get", "231.0")
    await until(lambda: entry.runtime_data.value("voltage") == 231)
    assert power() == 12
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert await hass.config_entries.async_remove(entry.entry_id)

    config = configuration(mosquitto, flags=1 << 25 | 1 << 10)
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged)
        await until(lambda: entry.data.get("feeds_in"))
        await plugged.power_off()
        await scripted.say("connected", "online", retain=True)
        await until(lambda: entry.runtime_data.online)
        for name, text in (("voltage", "230.0"), ("current", "1.500")):
            await scripted.say(f"{name}/get", text)
        await scripted.say("power/get", "-345.00")
        await until(lambda: power() == -345)
        state = hass.states.get("sensor.washing_machine_power")
        assert state
        assert float(state.state) == -345
    await hass.config_entries.async_unload(entry.entry_id)
