"""Diagnostics tell what helps and nothing that is secret."""

import json

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.diagnostics import async_get_config_entry_diagnostics
from tests.support.broker import Broker
from tests.support.metered import OFF, calibrated
from tests.support.sockets import CLIENT_ID, MAC
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.mark.slow
async def test_history_is_told_and_no_secret(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF, watts=1000) as socket:
        live = socket.entry.runtime_data
        await until(lambda: live.value("ip") and live.build)
        await socket.call("calibrate", power=1000, seconds=20)
        said = await async_get_config_entry_diagnostics(hass, socket.entry)
        text = json.dumps(said)

    meter = said["meter"]
    assert meter["trust"]["power"]["calibrated"]
    assert meter["trust"]["power"]["uncertainty_now"] > 0
    assert meter["trust"]["voltage"]["gain"] == 1
    assert [step["action"] for step in meter["history"]] == ["calibrate"]
    assert meter["history"][0]["references"] == {"power": 1000}
    assert said["socket"]["version"]
    assert said["socket"]["values"]["power"] == pytest.approx(1000, rel=0.02)
    assert {"key": "power", "domain": "sensor", "disabled_by": None} in said["device"][
        0
    ]["entities"]

    secrets = (MAC, MAC.replace(":", ""), CLIENT_ID, "TestNet", "secret word")
    for secret in (*secrets, "127.0.0.1", "Washing machine"):
        assert secret.casefold() not in text.casefold(), secret
