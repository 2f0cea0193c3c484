"""An administrator runs commands on the console of a socket, and none that could hurt it."""

from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
    Unauthorized,
)
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.obk.console import Streams
from tests.homeassistant.options import add
from tests.homeassistant.wizard import ENGLISH
from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in
from tests.support.sockets import add_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


async def call(
    hass: HomeAssistant, entry: MockConfigEntry, action: str, **data: Any
) -> Any:
    """Call an action for a socket and return its response."""
    device = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)[0]
    return await hass.services.async_call(
        "openbk",
        action,
        {"device_id": device.id, **data},
        blocking=True,
        return_response=True,
    )


async def refusal(hass: HomeAssistant, entry: MockConfigEntry, command: str) -> str:
    """Return why a command is not run; each reason has its text."""
    with pytest.raises(ServiceValidationError) as err:
        await call(hass, entry, "console", command=command)
    key = str(err.value.translation_key)
    assert ENGLISH["exceptions"][key]["message"]
    return key


async def test_a_command_is_answered_over_http(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with plugged_in(configuration(mosquitto)) as plugged:
        entry = await add(hass, plugged)
        said = await call(hass, entry, "console", command="  Status 8 ")
        assert said["transport"] == "http"
        assert said["response"]["StatusSNS"]["ENERGY"]["Voltage"] >= 0
        said = await call(hass, entry, "console", command="SetFlag 41 1")
        assert said == {"transport": "http", "response": {}}
        # What it changed is shown.
        await until(lambda: entry.runtime_data.readback.child_lock is True)
        assert await refusal(hass, entry, "NoSuchThing 1") == "command_unknown"
        assert await refusal(hass, entry, "SetFlag") == "command_refused"
    await hass.config_entries.async_unload(entry.entry_id)


async def test_without_the_web_page_it_goes_over_mqtt_but_nothing_that_floods(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with plugged_in(configuration(mosquitto, web_password="secret")) as plugged:
        entry = await add(hass, plugged)
        said = await call(hass, entry, "console", command="SetFlag 41 1")
        assert said == {"transport": "mqtt", "response": None}
        settings = plugged.firmware.settings
        await until(lambda: bool(settings.values.flags >> 41 & 1))
        for command in ("Status 0", "backlog SetFlag 41 0; status"):
            reason = await refusal(hass, entry, command)
            assert reason == "command_only_over_http"
        assert settings.values.flags >> 41 & 1
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_command_that_nobody_answers_is_not_said_to_be_run(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with plugged_in(configuration(mosquitto)) as plugged:
        entry = await add(hass, plugged)
        await until(lambda: entry.runtime_data.readback.child_lock is False)
        whole = hass.data[SOCKET_ACCESS]
        asked: list[int] = []

        async def once(host: str, port: int) -> Streams:
            asked.append(port)
            if len(asked) > 1:
                raise ConnectionRefusedError
            return await whole.connect(host, port)

        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=once)
        with pytest.raises(HomeAssistantError) as err:
            await call(hass, entry, "console", command="Status 8")
        assert err.value.translation_key == "command_unanswered"
    await hass.config_entries.async_unload(entry.entry_id)


async def test_another_socket_at_the_address_runs_nothing(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with plugged_in(configuration(mosquitto)) as plugged:
        entry = await add(hass, plugged)
        data = {**entry.data, "mac": "c8:47:8c:00:00:99"}
        hass.config_entries.async_update_entry(entry, data=data)
        assert await refusal(hass, entry, "SetFlag 41 1") == "update_other_socket"
        assert not plugged.firmware.settings.values.flags >> 41 & 1
    await hass.config_entries.async_unload(entry.entry_id)


async def test_what_could_crash_the_firmware_is_not_sent(hass: HomeAssistant) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    for command, reason in (
        (" ", "command_empty"),
        ("echo a\nreboot", "command_unprintable"),
        ("../set 1", "command_unprintable"),
        (f"SetFlag {'1' * 128}", "command_long_word"),
        (f"StartupCommand a {'1' * 128}", "command_long_word"),
        (f'echo "{"a b " * 40}"', "command_long_word"),
        (f"echo {'a ' * 257}", "command_too_long"),
        ('echo "open', "command_open_quote"),
    ):
        assert await refusal(hass, entry, command) == reason, command


async def test_settings_are_told_as_text_without_secrets(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    config = configuration(
        mosquitto,
        flags=1 << 10 | 1 << 40,
        startup_command="startDriver BL0937; MqttPassword hidden; "
        "SendGet http://me:pw@host/x?token=abc&n=1",
    )
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged)
        text = (await call(hass, entry, "get_settings"))["settings"]
        assert "SetPinRole 26 Rel" in text
        assert "SetPinChannel 26 1" in text
        assert "SetFlag 10 1\nSetFlag 40 1\n" in text
        assert f"MqttClient {config.mqtt_client_id}" in text
        assert "startDriver BL0937" in text
        starts = [line for line in text.splitlines() if "SetStartValue" in line]
        assert starts == ["SetStartValue 1 -1"]
        assert "n=1" in text
        for secret in ("hidden", "me:pw", "abc", config.wifi_password or "?"):
            assert secret not in text
        assert (await call(hass, entry, "get_settings"))["settings"] == text
    await hass.config_entries.async_unload(entry.entry_id)


async def test_settings_need_the_web_page(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with plugged_in(configuration(mosquitto, web_password="secret")) as plugged:
        entry = await add(hass, plugged)
        with pytest.raises(ServiceValidationError) as err:
            await call(hass, entry, "get_settings")
        assert err.value.translation_key == "update_password"
        data = {**entry.data, "address": None}
        hass.config_entries.async_update_entry(entry, data=data)
        with pytest.raises(ServiceValidationError) as err:
            await call(hass, entry, "get_settings")
        assert err.value.translation_key == "settings_unreadable"
    await hass.config_entries.async_unload(entry.entry_id)


async def test_the_console_is_for_administrators(
    hass: HomeAssistant, hass_read_only_user: MockUser
) -> None:
    await add_socket(hass, socket_entry())
    with pytest.raises(Unauthorized):
        await hass.services.async_call(
            "openbk",
            "console",
            {"device_id": "any", "command": "restart"},
            blocking=True,
            context=Context(user_id=hass_read_only_user.id),
        )
