"""What a socket was set to is kept before each change from here, compared, and put back."""

from collections.abc import AsyncIterator
from typing import Any

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.diagnostics import async_get_config_entry_diagnostics
from custom_components.openbk.live.snapshots import SNAPSHOTS, Before, KeptSettings
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from tests.homeassistant.adding import ROUTER, says
from tests.homeassistant.options import add, begin, go_on, move
from tests.homeassistant.test_console_action import call
from tests.homeassistant.wizard import ENGLISH, Wizard
from tests.support.addresses import almost, refuse
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, configuration, plugged_in, stranger
from tests.support.sockets import BUILD
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


@pytest.fixture
async def plugged(mosquitto: Broker) -> AsyncIterator[PluggedSocket]:
    """Plug in a socket that is set up as ours are."""
    async with plugged_in(configuration(mosquitto)) as plugged:
        yield plugged


@pytest.fixture
async def entry(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry, plugged: PluggedSocket
) -> AsyncIterator[MockConfigEntry]:
    """Set it up, and wait until what was put back is loaded."""
    entry = await add(hass, plugged)
    yield entry
    await hass.async_block_till_done(wait_background_tasks=True)
    await hass.config_entries.async_unload(entry.entry_id)


def kept(hass: HomeAssistant, entry: MockConfigEntry) -> list[Before]:
    """Return before what settings were kept, the latest first."""
    words = ENGLISH["selector"]["kept_before"]["options"]
    found = [item.before for item in hass.data[SNAPSHOTS].of(entry)]
    assert set(found) <= set(words)
    return found


async def run_and_save(
    hass: HomeAssistant, entry: MockConfigEntry, command: str
) -> None:
    """Run a command, and wait until what it sets is saved, as only that is read."""
    await call(hass, entry, "console", command=command)
    while command not in (await call(hass, entry, "get_settings"))["settings"]:
        pass


async def choose(
    hass: HomeAssistant, page: ConfigFlowResult, chosen: KeptSettings
) -> ConfigFlowResult:
    """Choose from the list of what was kept."""
    return await go_on(hass, page, snapshot=chosen.at.isoformat())


async def look_at(
    hass: HomeAssistant, entry: MockConfigEntry, number: int
) -> ConfigFlowResult:
    """Open what was kept and choose one, by its place in the list."""
    page = await begin(hass, entry, "snapshots")
    return await choose(hass, page, hass.data[SNAPSHOTS].of(entry)[number])


async def test_tuning_is_put_back_as_a_whole(
    hass: HomeAssistant, mosquitto: Broker, hass_storage: dict[str, Any]
) -> None:
    async with plugged_in(stranger(mosquitto)) as plugged:
        entry = await add(hass, plugged)
        settings = plugged.firmware.settings
        menu = await hass.config_entries.options.async_init(entry.entry_id)
        assert "snapshots" not in menu["menu_options"]
        page = await begin(hass, entry, "tune")
        done = await go_on(hass, page, changes=["retain_relays", "startup_command"])
        assert done["reason"] == "tuned"
        assert set(entry.data["undo"]) == {"retain_relays", "startup_command"}
        assert kept(hass, entry) == [Before.TUNING]
        assert len(hass_storage["openbk.settings"]["data"][entry.entry_id]) == 1
        await until(lambda: settings.values.flags == 1 << 10 | 1 << 21)

        await until(lambda: entry.runtime_data.online)
        page = await look_at(hass, entry, 0)
        told = page["description_placeholders"]["difference"]
        assert "`- SetFlag 21 1`" in told
        assert "addEventHandler" in told
        page = await go_on(hass, page, consent=False)
        assert page["errors"] == {"consent": "consent_missing"}
        done = await go_on(hass, page, consent=True)
        assert done["reason"] == "snapshot_put_back"
        assert settings.values.startup_command == ""
        assert settings.values.flags == 1 << 10
        # Nothing is left to be taken back, and the way forward was kept.
        assert entry.data["undo"] == {}
        assert not entry.data["tuned"]
        assert kept(hass, entry) == [Before.PUTTING_BACK, Before.TUNING]

        await until(lambda: entry.runtime_data.online)
        done = await look_at(hass, entry, 1)
        assert done["reason"] == "snapshot_same"
        await hass.async_block_till_done(wait_background_tasks=True)
    await hass.config_entries.async_unload(entry.entry_id)
    await hass.config_entries.async_remove(entry.entry_id)
    assert hass_storage["openbk.settings"]["data"] == {}


async def test_pins_and_reporting_go_back_into_the_entry(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    before = entry.data["profile"]
    page = await begin(hass, entry, "reporting")
    numbers = {
        "report_every": 10,
        "report_at_rest": 60,
        "report_volts": 1,
        "report_amperes": 0.01,
        "report_watts": 1,
    }
    await go_on(hass, page, **numbers)
    await until(lambda: entry.options.get("report_every") == 10)
    await until(lambda: entry.runtime_data.online)
    page = await begin(hass, entry, "polarity")
    done = await go_on(hass, page, pins=["8"])
    assert done["reason"] == "polarity_changed"
    assert entry.data["profile"] != before
    assert kept(hass, entry) == [Before.PINS, Before.REPORTING]
    await until(lambda: entry.runtime_data.online)
    page = await look_at(hass, entry, 1)
    told = page["description_placeholders"]["difference"]
    assert "- SetPinRole 8" in told
    assert "- VCPPublishIntervals 9 59" in told
    done = await go_on(hass, page, consent=True)
    assert done["reason"] == "snapshot_put_back"
    assert entry.data["profile"] == before
    assert "report_every" not in entry.options
    # What was there just now can be had again, with what the socket is told when it comes.
    await until(lambda: entry.runtime_data.online)
    page = await look_at(hass, entry, 0)
    assert (
        "+ VCPPublishIntervals 9 59" in page["description_placeholders"]["difference"]
    )
    done = await go_on(hass, page, consent=True)
    assert done["reason"] == "snapshot_put_back"
    assert entry.options["report_every"] == 10
    assert entry.data["profile"] != before


async def test_commands_that_change_nothing_keep_nothing(
    hass: HomeAssistant, plugged: PluggedSocket, entry: MockConfigEntry
) -> None:
    await call(hass, entry, "console", command="Status 8")
    assert kept(hass, entry) == []
    await run_and_save(hass, entry, "SetFlag 41 1")
    # The same settings are kept once.
    for _ in range(2):
        await call(hass, entry, "console", command="SetStartValue 1 -1")
    assert kept(hass, entry) == [Before.CONSOLE, Before.CONSOLE]
    settings = plugged.firmware.settings
    for number in range(8):
        settings.change(startup_command=f"echo {number}")
        settings.save()
        await call(hass, entry, "console", command="SetFlag 41 1")
    assert len(kept(hass, entry)) == 8
    told = await async_get_config_entry_diagnostics(hass, entry)
    assert len(told["settings_kept"]) == 8


async def test_without_the_web_page_it_shows_what_was_kept(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    config = configuration(mosquitto, flags=1 << 10)
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged)
        await run_and_save(hass, entry, "SetFlag 41 1")
        open_page = hass.data[SOCKET_ACCESS]
        page = await begin(hass, entry, "snapshots")

        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=refuse)
        [only] = hass.data[SNAPSHOTS].of(entry)
        done = await choose(hass, page, only)
        assert done["reason"] == "snapshot_unreadable"
        assert "SetFlag 10 1" in done["description_placeholders"]["settings"]
        # A socket that falls silent is not said to have its settings back.
        hass.data[SOCKET_ACCESS] = open_page
        page = await look_at(hass, entry, 0)
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=refuse)
        done = await go_on(hass, page, consent=True)
        assert done["reason"] == "snapshot_stopped"
        assert plugged.firmware.settings.values.flags >> 41 & 1
    await hass.config_entries.async_unload(entry.entry_id)


async def test_behind_a_password_it_is_asked_for(
    hass: HomeAssistant, plugged: PluggedSocket, entry: MockConfigEntry
) -> None:
    await run_and_save(hass, entry, "SetFlag 41 1")
    plugged.firmware.settings.change(web_password="correct")
    page = await look_at(hass, entry, 0)
    assert page["step_id"] == "snapshot_password"
    page = await go_on(hass, page, password="wrong")
    assert page["errors"] == {"password": "socket_password"}
    page = await go_on(hass, page, password="correct")
    assert page["step_id"] == "snapshot"
    done = await go_on(hass, page, consent=True)
    assert done["reason"] == "snapshot_put_back"
    assert not plugged.firmware.settings.values.flags >> 41 & 1


async def test_what_was_chosen_stays_chosen_while_more_is_kept(
    hass: HomeAssistant, plugged: PluggedSocket, entry: MockConfigEntry
) -> None:
    """Only the last eight are, so it may also be gone; then the list is shown anew."""
    settings = plugged.firmware.settings
    await run_and_save(hass, entry, "SetFlag 41 1")
    [chosen] = hass.data[SNAPSHOTS].of(entry)
    page = await begin(hass, entry, "snapshots")
    await call(hass, entry, "console", command="SetFlag 6 1")
    assert len(kept(hass, entry)) == 2
    page = await choose(hass, page, chosen)
    assert page["step_id"] == "snapshot"
    assert "- SetFlag 41 1" in page["description_placeholders"]["difference"]
    late = await begin(hass, entry, "snapshots")
    for number in range(8):
        settings.change(startup_command=f"echo {number}")
        settings.save()
        await call(hass, entry, "console", command="SetFlag 41 1")
    assert (await go_on(hass, page, consent=True))["step_id"] == "snapshots"
    assert (await choose(hass, late, chosen))["step_id"] == "snapshots"
    assert settings.values.startup_command == "echo 7"


async def test_settings_of_replaced_hardware_are_not_put_into_the_new_one(
    hass: HomeAssistant, plugged: PluggedSocket, entry: MockConfigEntry
) -> None:
    await run_and_save(hass, entry, "SetFlag 41 1")
    [chosen] = hass.data[SNAPSHOTS].of(entry)
    menu = await hass.config_entries.options.async_init(entry.entry_id)
    listed = await begin(hass, entry, "snapshots")
    asked = await look_at(hass, entry, 0)
    await plugged.power_off()
    await until(lambda: not entry.runtime_data.online)
    await says(hass, "kitchen", {**ROUTER, "build": BUILD, "ip": "none"})
    wizard = Wizard(hass)
    wizard.look_at(await entry.start_reconfigure_flow(hass))
    await wizard.choose("replaced")
    assert await wizard.submit(client_id="kitchen") == "hardware_replaced"
    done = await go_on(hass, menu, next_step_id="snapshots")
    assert done["reason"] == "no_snapshots"
    assert (await choose(hass, listed, chosen))["reason"] == "no_snapshots"
    done = await go_on(hass, asked, consent=True)
    assert done["reason"] == "no_snapshots"


async def test_what_no_command_sets_is_told_and_nothing_is_sent_to_who_is_away(
    hass: HomeAssistant, plugged: PluggedSocket, entry: MockConfigEntry
) -> None:
    await run_and_save(hass, entry, "SetFlag 41 1")
    settings = plugged.firmware.settings
    settings.change(short_name="Other")
    page = await look_at(hass, entry, 0)
    restorable, lasting, stays = page["description_placeholders"]["difference"].split(
        "\n\n"
    )
    assert restorable == "- `- SetFlag 41 1`"
    assert lasting == ENGLISH["selector"]["snapshot_text"]["options"]["lasting"]
    assert "`- ShortName Other`" in stays
    await plugged.power_off()
    await until(lambda: not entry.runtime_data.online)
    done = await go_on(hass, page, consent=True)
    assert done["reason"] == "not_loaded"
    assert kept(hass, entry) == [Before.CONSOLE]


async def test_what_the_socket_does_not_take_back_is_named(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """Its page answers that it was saved, and it was not."""
    async with (
        plugged_in(configuration(mosquitto)) as plugged,
        almost(plugged, deaf_to="/startup_command") as address,
    ):
        entry = await add(hass, plugged)
        await call(hass, entry, "console", command="SetFlag 41 0")
        settings = plugged.firmware.settings
        settings.change(startup_command="echo theirs")
        settings.save()
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, speed=20.0)
        move(hass, entry, address=address)
        await until(lambda: entry.runtime_data.online)
        page = await look_at(hass, entry, 0)
        done = await go_on(hass, page, consent=True)
        assert done["reason"] == "snapshot_partly"
        assert "echo theirs" in done["description_placeholders"]["difference"]
        assert settings.values.startup_command == "echo theirs"
        await hass.async_block_till_done(wait_background_tasks=True)
    await hass.config_entries.async_unload(entry.entry_id)
