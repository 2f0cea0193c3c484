"""What the tests share that add a socket which runs OpenBeken already."""

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo

from tests.homeassistant.wizard import Wizard
from tests.support.sockets import BUILD, MAC, listen

OTHER_MAC = "c8:47:8c:99:99:99"
# It answers on the topics of a socket, but runs something else.
ROUTER = {
    "build": "OpenWrt 24.10.2",
    "mac": OTHER_MAC,
    "ip": "127.0.0.1",
    "host": "OpenWrt",
}


def cards(hass: HomeAssistant) -> list[str]:
    """Return the names on the cards of what was discovered."""
    return [
        flow["context"]["title_placeholders"]["name"]
        for flow in hass.config_entries.flow.async_progress_by_handler("openbk")
        if flow["context"].get("title_placeholders")
    ]


def build_message(topic: str, payload: str = BUILD) -> MqttServiceInfo:
    """Return what somebody says of a build, as core hands it to a discovery step."""
    return MqttServiceInfo(
        topic=topic,
        payload=payload,
        qos=1,
        retain=False,
        subscribed_topic="+/build",
        timestamp=0.0,
    )


async def unload(hass: HomeAssistant) -> None:
    """Unload all sockets."""
    await hass.async_block_till_done()
    for entry in hass.config_entries.async_entries("openbk"):
        await hass.config_entries.async_unload(entry.entry_id)


async def by_hand(hass: HomeAssistant) -> Wizard:
    """Walk to the form that asks where the socket is."""
    wizard = await Wizard.open(hass, "existing")
    if wizard.page == "found":
        await wizard.submit(found="another")
    assert wizard.page == "where"
    return wizard


def lease(ip: str, hostname: str = "openbk7231n_8c123456") -> DhcpServiceInfo:
    """Return what core says of a device that was given an address."""
    return DhcpServiceInfo(ip=ip, hostname=hostname, macaddress=MAC.replace(":", ""))


async def says(hass: HomeAssistant, client_id: str, said: dict[str, str]) -> None:
    """Let something on the broker answer the question who it is."""

    async def answer(_message: mqtt.ReceiveMessage) -> None:
        for topic, payload in said.items():
            await mqtt.async_publish(hass, f"{client_id}/{topic}", payload, 1)

    await listen(hass, f"cmnd/{client_id}/publishAll", answer)
