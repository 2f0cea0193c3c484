"""The release server answers as GitHub's API does, and fails as it does."""

from collections.abc import AsyncIterator
import hashlib
import time
from typing import Any

import aiohttp
import pytest

from simulator import images
from simulator.releases import ReleaseServer


@pytest.fixture
async def server() -> AsyncIterator[ReleaseServer]:
    server = ReleaseServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def get(session: aiohttp.ClientSession, url: str, **options: Any) -> Any:
    async with session.get(url, **options) as response:
        assert response.status == 200
        return await response.json()


def asset(entry: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in entry["assets"] if each["name"] == name)


async def test_the_list_has_the_fields_that_clients_use(
    server: ReleaseServer, session: aiohttp.ClientSession
) -> None:
    entries = await get(session, server.index)
    assert [each["tag_name"] for each in entries] == [
        "1.18.300",
        "1.18.299",
        "1.18.298",
        "1.17.360",
    ]
    newest = entries[0]
    assert newest["name"] == "1.18.300"
    assert newest["body"]
    assert newest["published_at"] == "2026-11-22T16:50:11Z"
    assert newest["draft"] is newest["prerelease"] is False
    file = asset(newest, "OpenBK7231N_QIO_1.18.300.bin")
    content = images.qio()
    assert file["size"] == len(content) == 0x129F70
    assert file["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert file["content_type"] == "application/octet-stream"


async def test_old_files_have_no_digest(
    server: ReleaseServer, session: aiohttp.ClientSession
) -> None:
    entry = await get(session, f"{server.index}/tags/1.17.360")
    assert {each["digest"] for each in entry["assets"]} == {None}


async def test_downloads_come_from_elsewhere_byte_for_byte(
    server: ReleaseServer, session: aiohttp.ClientSession
) -> None:
    entry = await get(session, f"{server.index}/latest")
    url = asset(entry, "OpenBK7231N_QIO_1.18.300.bin")["browser_download_url"]
    async with session.get(url, allow_redirects=False) as response:
        assert response.status == 302
    async with session.get(url) as response:
        assert await response.read() == images.qio()
        assert str(response.url) != url


async def test_the_list_comes_in_pages(
    server: ReleaseServer, session: aiohttp.ClientSession
) -> None:
    tags, url, pages = [], f"{server.index}?per_page=3", 0
    while url:
        pages += 1
        async with session.get(url) as response:
            tags += [each["tag_name"] for each in await response.json()]
            url = str(response.links.get("next", {}).get("url", ""))
    assert pages == 2
    assert len(tags) == 4
    async with session.get(f"{server.index}?per_page=3&page=2") as response:
        assert set(response.links) == {"prev", "first"}


async def test_an_unchanged_list_is_not_sent_again(
    server: ReleaseServer, session: aiohttp.ClientSession
) -> None:
    async with session.get(server.index) as response:
        tag = response.headers["ETag"]
        remaining = response.headers["X-RateLimit-Remaining"]
    async with session.get(server.index, headers={"If-None-Match": tag}) as response:
        assert response.status == 304
        assert await response.read() == b""
        assert response.headers["X-RateLimit-Remaining"] == remaining


@pytest.mark.parametrize("path", ["/tags/9.9.9", "/../nothing"])
async def test_what_is_not_there_is_not_found(
    server: ReleaseServer, session: aiohttp.ClientSession, path: str
) -> None:
    async with session.get(f"{server.index}{path}") as response:
        assert response.status == 404


async def test_too_many_questions_are_refused_until_a_time(
    server: ReleaseServer, session: aiohttp.ClientSession
) -> None:
    server.trouble.rate_limited_seconds = 600
    async with session.get(server.index) as response:
        assert response.status == 403
        assert response.headers["X-RateLimit-Remaining"] == "0"
        assert 590 < int(response.headers["X-RateLimit-Reset"]) - time.time() <= 601
        assert "rate limit" in (await response.json())["message"]
    server.trouble.rate_limited_seconds = 0
    await get(session, server.index)


async def test_downloads_can_break_off_or_be_spoilt(
    server: ReleaseServer, session: aiohttp.ClientSession
) -> None:
    entry = await get(session, f"{server.index}/latest")
    url = asset(entry, "OpenBK7231N_QIO_1.18.300.bin")["browser_download_url"]
    server.trouble.cut_downloads_at = 100_000
    with pytest.raises(aiohttp.ClientError):
        async with session.get(url) as response:
            await response.read()
    server.trouble.cut_downloads_at = None
    server.trouble.spoil_downloads = True
    async with session.get(url) as response:
        spoilt = await response.read()
    assert sum(a != b for a, b in zip(spoilt, images.qio(), strict=True)) == 1


async def test_a_captive_portal_or_a_broken_server_can_be_in_between(
    server: ReleaseServer, session: aiohttp.ClientSession
) -> None:
    server.trouble.garbage = True
    async with session.get(server.index) as response:
        assert response.content_type != "application/json"
    server.trouble.status = 502
    async with session.get(server.index) as response:
        assert response.status == 502
    assert server.requests[-1].endswith(" 502")
