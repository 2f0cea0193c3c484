"""The password of a socket's web page is set, changed and removed from here, and told to nobody."""

from typing import Any

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.network.consoles import (
    SOCKET_ACCESS,
    SocketAccess,
    keep_password,
)
from custom_components.openbk.pyopenbk.obk.console import Streams
from tests.homeassistant.options import add, begin, go_on, move
from tests.support.addresses import almost
from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in
from tests.support.sockets import add_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


async def fill_in(
    hass: HomeAssistant, entry: MockConfigEntry, new: str, present: str = ""
) -> Any:
    page = await begin(hass, entry, "web_password")
    return await go_on(
        hass,
        page,
        present_password=present,
        new_password=new,
        new_password_again=new,
        remove_password=not new,
    )


async def test_it_is_set_changed_and_removed(
    hass: HomeAssistant,
    mosquitto: Broker,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = "tr+ub%4d&ur#", "or: 3".replace(" ", "_")
    async with plugged_in(configuration(mosquitto)) as plugged:
        entry = await add(hass, plugged)
        settings = plugged.firmware.settings
        before = settings.values
        page = await fill_in(hass, entry, "four")
        assert page["errors"] == {"new_password": "web_password_form"}
        page = await go_on(
            hass, page, new_password="one more", new_password_again="one more"
        )
        assert page["errors"] == {"new_password": "web_password_form"}
        page = await go_on(hass, page, new_password=first, new_password_again="other")
        assert page["errors"] == {"new_password_again": "web_password_differs"}
        page = await go_on(hass, page)
        assert page["errors"] == {"base": "web_password_unclear"}
        assert (await fill_in(hass, entry, first))["reason"] == "web_password_set"
        assert settings.values.web_password == first
        # Who knew it first need not type it again, until Home Assistant restarts.
        assert (await fill_in(hass, entry, second))["reason"] == "web_password_set"
        assert settings.values.web_password == second
        # One that opens nothing does not take the place of one that does.
        page = await fill_in(hass, entry, "", present=first)
        assert page["errors"] == {"present_password": "socket_password"}
        assert (await fill_in(hass, entry, first))["reason"] == "web_password_set"
        assert (await fill_in(hass, entry, second))["reason"] == "web_password_set"
        # As after a restart of Home Assistant.
        keep_password(hass, entry.data["address"], None)
        page = await fill_in(hass, entry, "")
        assert page["errors"] == {"present_password": "socket_needs_password"}
        done = await fill_in(hass, entry, "", present=second)
        assert done["reason"] == "web_password_removed"
        assert settings.values.web_password == ""
        # It goes through the page for the Wi-Fi, which is as it was.
        assert settings.values == before
        await until(lambda: entry.runtime_data.online)
        for secret in (first, second):
            assert secret not in caplog.text
            assert secret not in str(hass_storage)
            assert secret not in str(entry.as_dict())
    await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize(
    ("version", "asks"), [("1.17.341", False), ("1.17.342", True), ("main_0123", True)]
)
async def test_a_page_that_knows_no_password_is_not_asked_to_take_one(
    hass: HomeAssistant, version: str, asks: bool
) -> None:
    """It came with 1.17.342 (webPassword in new_pins.h); older pages answer as if they took it."""
    entry = socket_entry(firmware=f"OpenBK7231N {version} Dec 12 2023 10:00:00")
    await add_socket(hass, entry)
    page = await begin(hass, entry, "web_password")
    assert page["type"] == ("form" if asks else "abort")
    if not asks:
        assert page["reason"] == "web_password_too_old"
        assert page["description_placeholders"] == {"version": version}


async def test_a_password_that_was_sent_is_not_said_to_be_refused(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """The socket takes it, and its line is cut before anybody sees that."""
    async with plugged_in(configuration(mosquitto)) as plugged:
        entry = await add(hass, plugged)
        whole = hass.data[SOCKET_ACCESS]

        async def cut(host: str, port: int) -> Streams:
            if plugged.firmware.settings.values.web_password:
                raise ConnectionRefusedError
            return await whole.connect(host, port)

        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=cut)
        page = await fill_in(hass, entry, "first-one")
        assert page["reason"] == "web_password_not_seen"
        hass.data[SOCKET_ACCESS] = whole
        assert plugged.firmware.settings.values.web_password == "first-one"
        # It is the one that is used from now on.
        page = await fill_in(hass, entry, "second-one")
        assert page["reason"] == "web_password_set"
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_password_that_the_socket_did_not_take_is_not_said_to_be_set(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """Its page answers that it was saved, and it was not."""
    async with (
        plugged_in(configuration(mosquitto)) as plugged,
        almost(plugged, deaf_to="/cfg_wifi_set") as address,
    ):
        entry = await add(hass, plugged)
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True)
        move(hass, entry, address=address)
        await until(lambda: entry.runtime_data.online)
        page = await fill_in(hass, entry, "secret")
        assert page["errors"] == {"base": "web_password_not_taken"}
        assert plugged.firmware.settings.values.web_password == ""
    await hass.config_entries.async_unload(entry.entry_id)


async def test_nothing_is_told_to_another_socket_or_to_nobody(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with plugged_in(configuration(mosquitto)) as plugged:
        entry = await add(hass, plugged)
        data = {**entry.data, "mac": "c8:47:8c:00:00:99"}
        hass.config_entries.async_update_entry(entry, data=data)
        page = await fill_in(hass, entry, "secret")
        assert page["errors"] == {"base": "another_socket"}
        assert plugged.firmware.settings.values.web_password == ""
        data = {**entry.data, "address": None}
        hass.config_entries.async_update_entry(entry, data=data)
        page = await fill_in(hass, entry, "secret")
        assert page["errors"] == {"base": "socket_unreachable"}
    await hass.config_entries.async_unload(entry.entry_id)
