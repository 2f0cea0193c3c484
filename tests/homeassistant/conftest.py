"""Fixtures for tests inside Home Assistant."""

# Must come first: the harness mounts a folder of its own under the same name.
import custom_components  # noqa: F401  # isort: skip

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
import logging
import re
from typing import Any

from homeassistant.components.mqtt import client
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import executor
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.const import DOMAIN
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.network.firmware import RELEASE_INDEX
from simulator.releases import Release, ReleaseServer, published_releases
from tests.homeassistant.walks import WALKED
from tests.homeassistant.wizard import ENGLISH, TYPED
from tests.support.broker import Broker
from tests.support.sockets import connect_mqtt

# What this library says of each frame never gets through while a link is open, which a test of the boot loader holds.
# The harness has everything logged, and messages for nobody would be a tenth of what the wizard's tests cost.
logging.getLogger("serialx").setLevel(logging.INFO)

# Core's own client says the same of each message that comes or goes.
logging.getLogger("paho.mqtt.client").setLevel(logging.INFO)

# At a stop each of Home Assistant's threads gets a share of the first second, and is interrupted then. On a busy
# machine that hits one that is about to pass the word to stop on to the next, which then never ends.
executor.EXECUTOR_SHUTDOWN_TIMEOUT = 300


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget where the wizards of the test before went; fixtures walk already."""
    WALKED.forget()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Let a test fail whose claims are not true, or that finds the document incomplete."""
    yield
    marks = item.iter_markers("walks")
    WALKED.compare(claim for mark in marks for claim in mark.args)


@pytest.fixture(autouse=True)
def auto_enable_custom_integrations(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant load the integration under test, where one is started."""
    if "hass" in request.fixturenames:
        request.getfixturevalue("enable_custom_integrations")


@pytest.fixture(autouse=True)
def simulated_addresses(request: pytest.FixtureRequest) -> None:
    """Let simulated sockets be where no real one could be: on loopback, each with a port."""
    if "hass" in request.fixturenames:
        hass: HomeAssistant = request.getfixturevalue("hass")
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True)
        # Nobody looks for releases on the internet; nothing listens there.
        hass.data[RELEASE_INDEX] = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def issues_are_told(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a test fail in which an issue was raised that has no text, or no value for it."""
    if "hass" not in request.fixturenames:
        yield
        return
    hass: HomeAssistant = request.getfixturevalue("hass")
    raised: list[ir.IssueEntry] = []

    @callback
    def note(event: Event[ir.EventIssueRegistryUpdatedData]) -> None:
        issue = ir.async_get(hass).async_get_issue(
            event.data["domain"], event.data["issue_id"]
        )
        if issue is not None and issue.domain == DOMAIN:
            raised.append(issue)

    hass.bus.async_listen(ir.EVENT_REPAIRS_ISSUE_REGISTRY_UPDATED, note)
    yield
    for issue in raised:
        assert issue.translation_key in ENGLISH["issues"], issue
        text = ENGLISH["issues"][issue.translation_key]
        # What a repair says, its own flow fills in.
        told = text["title"] + text.get("description", "")
        needed = set(re.findall(r"{(\w+)}", told))
        assert needed <= set(issue.translation_placeholders or {}), issue


@pytest.fixture(autouse=True)
def passwords_stay_secret(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Let a test fail in which a password that was typed shows in a message or a state."""
    TYPED.clear()
    if "hass" not in request.fixturenames:
        yield
        return
    hass: HomeAssistant = request.getfixturevalue("hass")
    yield
    if not TYPED:
        return
    told = [record.getMessage() for record in caplog.get_records("call")]
    told += [f"{state.state} {state.attributes}" for state in hass.states.async_all()]
    told += [
        f"{entry.title} {entry.data} {entry.options}"
        for entry in hass.config_entries.async_entries(DOMAIN)
    ]
    for secret in TYPED:
        assert not [text for text in told if secret in text]


@pytest.fixture
async def mqtt_connection(
    hass: HomeAssistant,
    mosquitto: Broker,
    mock_hass_config: None,
    hass_storage: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[MockConfigEntry]:
    """Connect the core MQTT integration to a broker of its own."""
    # Core looks for a lost broker every ten seconds.
    monkeypatch.setattr(client, "RECONNECT_INTERVAL_SECONDS", 0.2)
    entry = await connect_mqtt(hass, mosquitto)
    yield entry
    # The broker goes before Home Assistant does, and core would wait for it in vain.
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(entry.entry_id)
    # Core takes back what was subscribed to after a moment, connected or not.
    await asyncio.sleep(1)


@pytest.fixture
def published() -> Sequence[Release]:
    """Return the releases that there are."""
    return published_releases()


@pytest.fixture
async def releases(
    hass_storage: dict[str, Any], published: Sequence[Release]
) -> AsyncIterator[ReleaseServer]:
    """Serve releases where the wizard looks for them."""
    server = ReleaseServer(published)
    await server.start()
    hass_storage["openbk.release_index"] = {
        "version": 1,
        "data": {"index_address": server.index},
    }
    yield server
    await server.stop()
