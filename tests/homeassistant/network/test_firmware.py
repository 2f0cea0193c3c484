"""Where releases are looked up, that the look goes on, and what is trusted of a download."""

import asyncio
from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.openbk.network.firmware import (
    RELEASE_INDEX,
    FirmwareSource,
    async_digest_of,
    async_index_address,
    async_keep_index_address,
    async_trust,
)
from custom_components.openbk.pyopenbk.obk.image import ImageKind
from custom_components.openbk.pyopenbk.obk.releases import (
    Asset,
    ReleaseError,
    digest_of,
)
from simulator.releases import ReleaseServer
from tests.support.simulated_time import NOW
from tests.support.waiting import until

AHEAD = 40 * 86400.0
OWN = "http://releases.home.arpa/openbk"


async def test_only_an_address_that_a_person_chose_outlives_the_usual_one(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    usual = await async_index_address(hass)
    await async_keep_index_address(hass, usual)
    hass.data[RELEASE_INDEX] = "http://127.0.0.1:2"
    assert await async_index_address(hass) == "http://127.0.0.1:2"
    await async_keep_index_address(hass, OWN)
    assert await async_index_address(hass) == OWN
    await async_keep_index_address(hass, "http://127.0.0.1:2")
    assert "openbk.release_index" not in hass_storage


@pytest.mark.e2e
@pytest.mark.usefixtures("socket_enabled")
async def test_the_look_for_releases_goes_on_after_something_unforeseen(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    releases: ReleaseServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stored = hass_storage["openbk.release_index"]
    good, stored["data"] = stored["data"], ["not what we wrote"]
    source = FirmwareSource(hass)
    stop = source.listen(lambda: None)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=2))
    await until(lambda: "stopped unexpectedly" in caplog.text)
    assert not source.known("BK7231N")
    stored["data"] = good
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=2))
    await until(lambda: source.known("BK7231N"))
    stop()


@pytest.mark.e2e
@pytest.mark.usefixtures("socket_enabled", "releases")
async def test_a_clock_that_was_ahead_does_not_put_off_the_next_look(
    hass: HomeAssistant,
) -> None:
    """Home Assistant looked before a time server had put its clock right."""
    NOW.set_clock(AHEAD)
    before = FirmwareSource(hass)
    await before.async_refresh()
    await asyncio.sleep(5)
    NOW.set_clock(-AHEAD)
    source, looked = FirmwareSource(hass), asyncio.Event()
    await source.async_load()
    stop = source.listen(looked.set)
    async with asyncio.timeout(13 * 3600):
        await looked.wait()
    stop()


@pytest.mark.e2e
@pytest.mark.usefixtures("socket_enabled")
async def test_those_who_look_at_once_look_once(
    hass: HomeAssistant, releases: ReleaseServer
) -> None:
    """Home Assistant has the entity of each socket look, and the server counts."""
    source = FirmwareSource(hass)
    for status, came in ((500, ReleaseError), (0, type(None))):
        releases.requests.clear()
        releases.trouble.status = status
        looks = (source.async_refresh() for _ in range(5))
        found = await asyncio.gather(*looks, return_exceptions=True)
        assert all(isinstance(each, came) for each in found)
        assert len(releases.requests) == 1
    assert source.known("BK7231N")


async def test_digests_of_first_downloads_that_end_together_are_all_kept(
    hass: HomeAssistant,
) -> None:
    files = {
        Asset(
            name=f"{number}.rbl",
            url=f"https://example.org/{number}",
            size=1,
            digest=None,
            kind=ImageKind.RBL,
            variant=None,
        ): content
        for number, content in enumerate((b"a", b"b", b"c"))
    }
    await asyncio.gather(*(async_trust(hass, *file) for file in files.items()))
    for asset, data in files.items():
        # Whatever comes later under the same name, the first one counts.
        await async_trust(hass, asset, b"z")
        assert await async_digest_of(hass, asset) == digest_of(data)
