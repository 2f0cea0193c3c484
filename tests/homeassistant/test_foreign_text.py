"""What a socket says of itself is shown as text, on every page that shows it."""

from homeassistant.core import HomeAssistant
import pytest

from tests.homeassistant.adding import by_hand, cards, unload
from tests.homeassistant.issues.test_whereabouts import add, be_silent, told
from tests.homeassistant.wizard import ENGLISH, Wizard
from tests.support.addresses import lead_to
from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in, stranger
from tests.support.sockets import listens_for_sockets
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


async def test_name_of_a_stranger_on_its_card(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    name = "<h1>**FREE**[x](e.example)"
    await listens_for_sockets(hass)
    async with plugged_in(stranger(mosquitto, mqtt_client_id=name)):
        # A title is no Markdown.
        await until(lambda: cards(hass) == [name])
        (flow,) = hass.config_entries.flow.async_progress_by_handler("openbk")
        wizard = Wizard(hass)
        wizard.look_at(
            await hass.config_entries.flow.async_configure(flow["flow_id"], None)
        )
        assert wizard.page == "discovery_confirm"
        text = ENGLISH["config"]["step"][wizard.page]["description"]
        shown = text.format(**wizard.placeholders)
        assert r"\<h1\>\*\*FREE\*\*\[x\](e.example)" in shown
        assert name not in shown


async def test_broker_of_a_silent_socket_in_its_issue(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    host = "**x**[Repair](https://e.example)![t](t.png)"
    with Broker() as left:
        config = configuration(left, mqtt_host=host)
        async with plugged_in(config) as plugged:
            plugged.firmware.resolve = lambda _host, _port: (left.host, left.port)
            entry = await add(hass, plugged)
            await be_silent(hass)
            assert (issue := told(hass, entry))
            shown = r"\*\*x\*\*\[Repair\](https\://e.example)!\[t\](t.png)"
            assert f"{shown}:{left.port}" in issue[1]
            assert host not in issue[1]
            await hass.config_entries.async_unload(entry.entry_id)


async def test_start_up_command_on_the_page_that_proposes_to_tune(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    theirs = "echo `</details> ![t](https://e.example/t.png)"
    async with plugged_in(stranger(mosquitto, startup_command=theirs)) as plugged:
        await until(
            lambda: plugged.firmware.http_address and plugged.firmware.mqtt.online
        )
        lead_to(hass, plugged)
        wizard = await by_hand(hass)
        assert await wizard.submit(address="192.168.1.7") == "tune"
        lines = wizard.placeholders["commands"].splitlines()
        (line,) = (line for line in lines if "StartupCommand" in line)
        # All of it is one span, which no backtick of theirs ends.
        assert line.startswith("- ``StartupCommand ")
        assert line.endswith(f"{theirs}``")
        await wizard.close()
        await unload(hass)
