"""The release index and downloads, against a server that answers as GitHub does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, cast

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
import pytest

from custom_components.openbk.pyopenbk.obk.image import ImageKind
from custom_components.openbk.pyopenbk.obk.releases import (
    DEFAULT_INDEX,
    Asset,
    BadAddressError,
    DigestMismatchError,
    Lack,
    NoInternetError,
    NotFoundError,
    RateLimitedError,
    ReleaseIndex,
    SentElsewhereError,
    TruncatedDownloadError,
    UnexpectedAnswerError,
    digest_of,
    lacks,
    parse_version,
)
from simulator import images
from simulator.releases import ReleaseServer, Trouble

REPOSITORY = "/repos/openshwprojects/OpenBK7231T_App"
RELEASES = f"{REPOSITORY}/releases"


class FakeGitHub:
    """A release index whose next answers can be chosen, also to what GitHub never says.

    It knows nothing of the simulator's server, which answers as GitHub does.
    """

    def __init__(self) -> None:
        """Publish three releases, the newest one unfit for this chip."""
        self.files: dict[str, bytes] = {}
        self.requests: list[web.Request] = []
        self.answer: web.StreamResponse | None = None
        self.cut_downloads_at: int | None = None
        self.sent_on = 302, "/"
        self.releases: list[dict[str, Any]] = []
        self.address = ""
        app = web.Application()
        app.router.add_get(RELEASES, self._list)
        app.router.add_get(f"{RELEASES}/tags/{{tag}}", self._tag)
        app.router.add_get("/files/{name}", self._file)
        app.router.add_get("/moved/{name}", self._moved)
        self.server = TestServer(app)

    async def start(self) -> None:
        """Listen, and publish."""
        await self.server.start_server()
        self.address = str(self.server.make_url(REPOSITORY))
        self.publish("1.18.299", "2026-07-20T10:00:00Z")
        self.publish("1.18.300", "2026-07-24T10:00:00Z")
        self.publish("1.18.301", "2026-07-25T10:00:00Z", chip="BK7238")
        self.publish("1.17.360", "2023-12-17T10:00:00Z", digests=False)

    def publish(
        self,
        version: str,
        date: str,
        *,
        chip: str = "BK7231N",
        digests: bool = True,
        **more: Any,
    ) -> None:
        """Add a release with the usual and some special files."""
        names = [
            f"Open{chip}_{version}.rbl",
            f"Open{chip}_{version}_tuyaMCU.rbl",
            f"Open{chip}_ALT_QIO_{version}.bin",
            f"Open{chip}_ALT_{version}.rbl",
            f"Open{chip}_QIO_{version}.bin",
            f"Open{chip}_QIO_{version}_sensors.bin",
            f"Open{chip}_UASCENT_QIO_{version}.bin",
            f"Open{chip}_UA_{version}.bin",
            f"Open{chip}_UG_{version}.bin",
            f"OpenBK7231T_QIO_{version}.bin",
            f"OpenBK7231NL_QIO_{version}.bin",
            f"Open{chip}_{version}.map",
            f"Open{chip}_QIO_0.0.0.bin",
        ]
        assets = []
        for name in names:
            self.files[name] = name.encode() * 5000
            assets.append(
                {
                    "name": name,
                    "size": len(self.files[name]),
                    "browser_download_url": str(self.server.make_url(f"/files/{name}")),
                    "digest": f"sha256:{sha256(self.files[name]).hexdigest()}"
                    if digests
                    else None,
                }
            )
        self.releases.append(
            {
                "tag_name": version,
                "published_at": date,
                "body": f"Notes of {version}",
                "draft": False,
                "prerelease": False,
                "assets": assets,
            }
            | more
        )

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.answer is not None:
            return self.answer
        etag = f'W/"{len(self.releases)}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.json_response(self.releases, headers={"ETag": etag})

    async def _tag(self, request: web.Request) -> web.StreamResponse:
        tag = request.match_info["tag"]
        for release in self.releases:
            if release["tag_name"] == tag:
                return web.json_response(release)
        return web.json_response({"message": "Not Found"}, status=404)

    async def _moved(self, request: web.Request) -> web.StreamResponse:
        status, location = self.sent_on
        return web.Response(status=status, headers={"Location": location})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        if self.answer is not None:
            return self.answer
        content = self.files[request.match_info["name"]]
        if self.cut_downloads_at is None:
            return web.Response(body=content)
        response = web.StreamResponse(headers={"Content-Length": str(len(content))})
        await response.prepare(request)
        await response.write(content[: self.cut_downloads_at])
        assert request.transport is not None
        request.transport.close()
        return response


@pytest.fixture
async def github(socket_enabled: None) -> AsyncIterator[FakeGitHub]:
    """Run the server on loopback."""
    server = FakeGitHub()
    await server.start()
    yield server
    await server.server.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session as Home Assistant would hand one in."""
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def index(github: FakeGitHub, session: aiohttp.ClientSession) -> ReleaseIndex:
    """Use the server's index."""
    return ReleaseIndex(session, github.address)


async def test_releases_for_this_chip_are_listed_newest_first(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """With date and notes; a release that lacks the usual image is none."""
    releases = await index.list()
    assert [release.version for release in releases] == [
        "1.18.300",
        "1.18.299",
        "1.17.360",
    ]
    newest = releases[0]
    assert newest.published == datetime(2026, 7, 24, 10, tzinfo=UTC)
    assert newest.notes == "Notes of 1.18.300"
    assert (await index.latest()).version == "1.18.300"


async def test_files_are_chosen_by_the_exact_form_of_their_names(
    index: ReleaseIndex,
) -> None:
    """Special builds and other chips differ by one word; they are never the usual file."""
    release = await index.latest()
    assert release.uart.name == "OpenBK7231N_QIO_1.18.300.bin"
    assert release.uart.kind is ImageKind.QIO
    assert release.ota is not None
    assert release.ota.name == "OpenBK7231N_1.18.300.rbl"
    assert release.ota.kind is ImageKind.RBL
    assert release.uart.variant is release.ota.variant is None
    assert {(asset.kind, asset.variant) for asset in release.others} == {
        (ImageKind.RBL, "tuyaMCU"),
        (ImageKind.RBL, "ALT"),
        (ImageKind.QIO, "ALT"),
        (ImageKind.QIO, "sensors"),
        (ImageKind.QIO, "UASCENT"),
        (ImageKind.UA, None),
        (ImageKind.UG, None),
    }


async def test_a_chosen_old_release_is_found_by_its_version(
    index: ReleaseIndex,
) -> None:
    """It may be far behind the end of the list."""
    release = await index.get("1.17.360")
    assert release.uart.digest is None
    assert Lack.ACCURATE_METER in lacks(release.version)
    with pytest.raises(NotFoundError):
        await index.get("9.9.9")
    with pytest.raises(NotFoundError):
        await index.get("1.18.301")
    with pytest.raises(NotFoundError):
        await index.get("../../../elsewhere")


async def test_a_release_without_files_for_any_socket_is_none(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """A draft, or one whose entry makes no sense."""
    assert (await index.update("1.18.300")).version == "1.18.300"
    for change in ({"draft": True}, {"assets": None}):
        odd = github.releases[0] | {"tag_name": "1.18.400"} | change
        github.releases.append(odd)
        with pytest.raises(NotFoundError):
            await index.update("1.18.400")
        github.releases.remove(odd)


async def test_drafts_are_not_listed_and_previews_are_not_the_latest(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """Only what is meant for everybody is offered first."""
    github.publish("1.18.305", "2026-07-29T10:00:00Z", draft=True)
    github.publish("1.18.304", "2026-07-28T10:00:00Z", prerelease=True)
    assert [release.version for release in await index.list()][:2] == [
        "1.18.304",
        "1.18.300",
    ]
    assert (await index.latest()).version == "1.18.300"


async def test_an_unchanged_index_is_not_sent_again(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """Such a question does not count against the limit."""
    first = await index.list()
    assert await index.list() == first
    assert "If-None-Match" not in github.requests[0].headers
    assert github.requests[1].headers["If-None-Match"] == 'W/"4"'
    github.publish("1.18.302", "2026-07-26T10:00:00Z")
    assert len(await index.list()) == len(first) + 1


@pytest.mark.parametrize("ending", ["", "/", "/releases", "/releases/"])
async def test_the_address_may_be_written_either_way(
    github: FakeGitHub, session: aiohttp.ClientSession, ending: str
) -> None:
    """Of the repository or of its releases."""
    assert await ReleaseIndex(session, github.address + ending).list()


def test_the_usual_address_is_the_projects_own() -> None:
    """Nothing is asked there by these tests."""
    assert DEFAULT_INDEX.startswith("https://api.github.com/repos/openshwprojects/")


async def test_a_download_is_checked_and_tells_its_progress(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """Size and published digest are right."""
    asset = (await index.latest()).uart
    seen: list[tuple[int, int]] = []
    content = await index.download(
        asset, progress=lambda done, total: seen.append((done, total))
    )
    assert content == github.files[asset.name]
    assert seen[-1] == (asset.size, asset.size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


async def test_a_changed_file_is_refused(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """One byte is enough."""
    asset = (await index.latest()).uart
    github.files[asset.name] = b"X" + github.files[asset.name][1:]
    with pytest.raises(DigestMismatchError) as refused:
        await index.download(asset)
    assert refused.value.expected == asset.digest


async def test_without_a_published_digest_the_first_download_counts(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """Whoever kept its digest notices when another file comes the next time."""
    asset = (await index.get("1.17.360")).uart
    first = digest_of(await index.download(asset))
    assert await index.download(asset, known_digest=first)
    github.files[asset.name] = b"X" + github.files[asset.name][1:]
    with pytest.raises(DigestMismatchError):
        await index.download(asset, known_digest=first)


@pytest.mark.parametrize("size", [0, 1000, 70_000])
async def test_a_broken_connection_is_a_cut_file(
    index: ReleaseIndex, github: FakeGitHub, size: int
) -> None:
    """However much of it arrived."""
    asset = (await index.latest()).uart
    github.cut_downloads_at = size
    with pytest.raises(TruncatedDownloadError) as refused:
        await index.download(asset)
    assert refused.value.actual <= size
    assert refused.value.expected == asset.size


@pytest.mark.parametrize("change", [-1, 1, 3_000_000])
async def test_a_file_of_another_size_is_refused(
    index: ReleaseIndex, github: FakeGitHub, change: int
) -> None:
    """Also an endless one, which is not read to its end."""
    asset = (await index.latest()).uart
    content = github.files[asset.name]
    github.files[asset.name] = (
        content[:change] if change < 0 else content + b"x" * change
    )
    with pytest.raises(TruncatedDownloadError):
        await index.download(asset)


async def test_a_missing_file_is_told(index: ReleaseIndex, github: FakeGitHub) -> None:
    """Somebody removed it since."""
    asset = (await index.latest()).uart
    github.answer = web.Response(status=404)
    with pytest.raises(NotFoundError):
        await index.download(asset)


async def test_the_rate_limit_says_until_when(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """GitHub's way: 403, nothing remaining, the time of the reset."""
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=17)
    headers = {
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(until.timestamp())),
    }
    github.answer = web.Response(status=403, headers=headers)
    with pytest.raises(RateLimitedError) as refused:
        await index.list()
    assert refused.value.until == until


@pytest.mark.parametrize("status", [403, 429])
async def test_a_server_may_name_the_pause_in_seconds(
    index: ReleaseIndex, github: FakeGitHub, status: int
) -> None:
    """The general way."""
    github.answer = web.Response(status=status, headers={"Retry-After": "120"})
    with pytest.raises(RateLimitedError) as refused:
        await index.list()
    pause = refused.value.until - datetime.now(UTC)
    assert timedelta(seconds=100) < pause <= timedelta(seconds=120)


@pytest.mark.parametrize("reset", [None, "soon", "9" * 30])
async def test_a_limit_without_a_readable_time_is_an_hour(
    index: ReleaseIndex, github: FakeGitHub, reset: str | None
) -> None:
    """Better a guess than an error in the error."""
    headers = {"X-RateLimit-Reset": reset} if reset else {}
    github.answer = web.Response(status=429, headers=headers)
    with pytest.raises(RateLimitedError) as refused:
        await index.list()
    pause = refused.value.until - datetime.now(UTC)
    assert timedelta(minutes=50) < pause <= timedelta(hours=1)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500},
        {"status": 403},
        {"text": "<html>Log in to this hotspot</html>", "content_type": "text/html"},
        {"text": '{"message": "something"}'},
        {"text": ""},
    ],
)
async def test_an_answer_that_is_no_index_is_told(
    index: ReleaseIndex, github: FakeGitHub, answer: dict[str, Any]
) -> None:
    """A hotspot's page, an error of the server."""
    github.answer = web.Response(**answer)
    with pytest.raises(UnexpectedAnswerError):
        await index.list()


async def test_entries_that_make_no_sense_are_passed_over(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """The others are still offered."""
    good = github.releases[0]
    github.releases[:0] = [
        {},
        {"tag_name": "1.18.400"},
        good | {"published_at": None},
        good | {"published_at": "yesterday"},
        good | {"assets": [{"name": "OpenBK7231N_QIO_1.18.299.bin"}]},
        good | {"assets": None},
    ]
    assert [release.version for release in await index.list()] == [
        "1.18.300",
        "1.18.299",
        "1.17.360",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"tag_name": "1." + "9" * 5000},
        {"tag_name": "1.18.300\ud800"},
        {"tag_name": 5},
        {"published_at": "0001-01-01"},
        {"published_at": 17},
        {"assets": {"a": 1}},
        {"assets": [{"name": "OpenBK7231N_QIO_1.18.300.bin"}]},
    ],
    ids=lambda change: repr(change)[:40],
)
async def test_an_odd_release_hides_no_other(
    index: ReleaseIndex, github: FakeGitHub, change: dict[str, Any]
) -> None:
    """Whatever a server, or a proxy on the way, has put into the list."""
    github.releases.insert(0, github.releases[1] | change)
    releases = await index.list()
    assert [release.version for release in releases][-3:] == [
        "1.18.300",
        "1.18.299",
        "1.17.360",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"size": 1e400},
        {"size": 1.5},
        {"size": True},
        {"size": -1},
        {"size": 300_000_000},
        {"browser_download_url": None},
        {"browser_download_url": 5},
        {"browser_download_url": "http://\ud800/"},
        {"name": None},
    ],
    ids=repr,
)
async def test_an_odd_file_is_none(
    index: ReleaseIndex, github: FakeGitHub, change: dict[str, Any]
) -> None:
    """Its release is not offered without it."""
    for asset in github.releases[1]["assets"]:
        if "_QIO_1.18.300.bin" in asset["name"]:
            asset |= change
    assert "1.18.300" not in {release.version for release in await index.list()}


async def test_dates_with_and_without_a_zone_are_put_in_order(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """Two builds of branches have nothing but their dates."""
    github.publish("branch_a", "2026-01-01T10:00:00")
    github.publish("branch_b", "2026-01-02T10:00:00+02:00")
    versions = [release.version for release in await index.list()]
    assert versions[-2:] == ["branch_b", "branch_a"]


async def test_what_a_release_says_of_itself_can_be_sent_to_a_browser(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """JSON may hold halves of characters, numbers, or a book."""
    github.publish("1.18.310", "2026-08-01T10:00:00Z", body="half \ud800 of one")
    github.publish("1.18.311", "2026-08-01T10:00:00Z", body=7)
    github.publish("1.18.312", "2026-08-01T10:00:00Z", body="x" * 10_000_000)
    newest = (await index.list())[:3]
    assert [release.notes[:11] for release in newest] == ["x" * 11, "", "half ? of o"]
    assert all(len(release.notes.encode()) <= 20_000 for release in newest)


async def test_a_deep_answer_is_no_index(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """JSON can be nested until a reader breaks."""
    github.answer = web.Response(text="[" * 200_000)
    with pytest.raises(UnexpectedAnswerError):
        await index.list()


class Endless:
    """A server that goes on for ever, in large pieces or byte by byte."""

    def __init__(self, piece: bytes, pause: float) -> None:
        """Take what is sent again and again, and the seconds in between."""
        self._piece, self._pause = piece, pause
        self.sent = 0
        app = web.Application()
        app.router.add_get("/{path:.*}", self._send)
        self.server = TestServer(app)

    async def _send(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(self._piece)
            self.sent += len(self._piece)
            await asyncio.sleep(self._pause)


async def test_an_endless_answer_is_not_read_to_its_end(
    session: aiohttp.ClientSession, socket_enabled: None
) -> None:
    """Nor does it fill the memory."""
    server = Endless(b"[" + b" " * 1_000_000, 0)
    async with server.server:
        index = ReleaseIndex(session, str(server.server.make_url("/releases")))
        with pytest.raises(UnexpectedAnswerError):
            await index.list()
        assert server.sent < 64_000_000


async def test_an_answer_byte_by_byte_is_given_up(
    session: aiohttp.ClientSession, socket_enabled: None
) -> None:
    """Each byte comes soon enough, but there are too many."""
    server = Endless(b" ", 0.02)
    async with server.server:
        index = ReleaseIndex(
            session, str(server.server.make_url("/releases")), patience=0.3
        )
        with pytest.raises(NoInternetError):
            await index.list()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_server_may_send_on_within_itself_alone(
    index: ReleaseIndex, github: FakeGitHub, status: int
) -> None:
    """Another name of it is another server already."""
    asset = (await index.latest()).uart
    github.sent_on = status, asset.url
    moved = replace(asset, url=asset.url.replace("/files/", "/moved/"))
    assert await index.download(moved) == github.files[asset.name]

    github.sent_on = status, asset.url.replace("127.0.0.1", "localhost")
    with pytest.raises(SentElsewhereError) as refused:
        await index.download(moved)
    assert refused.value.host == "localhost"

    github.sent_on = status, str(github.server.make_url("/moved/again"))
    with pytest.raises(UnexpectedAnswerError):
        await index.download(moved)


class NoSession:
    """A session whose servers are all out of reach; nothing is asked anywhere."""

    def get(self, address: str, **_: Any) -> None:
        """Fail as a session without a network does."""
        raise aiohttp.ClientConnectionError


@pytest.mark.parametrize(
    ("index_address", "file", "allowed"),
    [
        (DEFAULT_INDEX, "https://github.com/a/releases/download/1/x.bin", True),
        (DEFAULT_INDEX, "https://objects.githubusercontent.com/x", True),
        (DEFAULT_INDEX, "https://release-assets.githubusercontent.com/x", True),
        (DEFAULT_INDEX, "http://github.com/a/releases/download/1/x.bin", False),
        (DEFAULT_INDEX, "https://github.com.example.org/x", False),
        (DEFAULT_INDEX, "https://example.org/github.com", False),
        (DEFAULT_INDEX, "http://192.168.1.1/reboot", False),
        ("http://nas.local:8080/releases", "http://nas.local:8081/x", True),
        ("http://nas.local/releases", "https://nas.local/x", True),
        ("http://nas.local/releases", "https://github.com/x", True),
        ("http://nas.local/releases", "http://other.local/x", False),
        ("https://mirror.example.org/releases", "https://mirror.example.org/x", True),
        ("https://mirror.example.org/releases", "http://mirror.example.org/x", False),
    ],
)
async def test_files_come_from_the_indexs_own_server_and_from_github(
    index_address: str, file: str, allowed: bool
) -> None:
    """Without encryption only where the address of the index is without it."""
    index = ReleaseIndex(cast("aiohttp.ClientSession", NoSession()), index_address)
    asset = Asset(
        name="x", url=file, size=1, digest=None, kind=ImageKind.QIO, variant=None
    )
    with pytest.raises(NoInternetError if allowed else SentElsewhereError):
        await index.download(asset)


async def test_a_digest_is_compared_whatever_its_case(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """Hexadecimal digits have two."""
    for asset in github.releases[1]["assets"]:
        asset["digest"] = asset["digest"].upper().replace("SHA", "sha")
    newest = (await index.latest()).uart
    assert newest.digest == newest.digest.lower() if newest.digest else False
    assert await index.download(newest)


async def test_a_pause_of_years_is_a_day(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """Nobody could read the time of day out of it."""
    github.answer = web.Response(status=429, headers={"Retry-After": "99999999999"})
    with pytest.raises(RateLimitedError) as refused:
        await index.list()
    assert refused.value.until <= datetime.now(UTC) + timedelta(days=1)


async def test_no_release_at_all_is_told(
    index: ReleaseIndex, github: FakeGitHub
) -> None:
    """An index of another project."""
    github.releases.clear()
    with pytest.raises(NotFoundError):
        await index.latest()


async def test_no_server_is_no_internet(
    github: FakeGitHub, session: aiohttp.ClientSession
) -> None:
    """Nobody listens, or the name has no address."""
    address = github.address
    await github.server.close()
    for nowhere in (address, "http://nowhere.invalid"):
        with pytest.raises(NoInternetError):
            await ReleaseIndex(session, nowhere).list()


@pytest.mark.parametrize("address", ["", "releases", "ftp://example.org", "http://"])
async def test_an_address_that_is_none_is_told(
    session: aiohttp.ClientSession, address: str
) -> None:
    """Somebody typed it."""
    with pytest.raises(BadAddressError):
        await ReleaseIndex(session, address).list()


async def test_the_simulated_index_is_understood(
    socket_enabled: None, session: aiohttp.ClientSession
) -> None:
    """Somebody else's idea of the same interface, redirects included."""
    server = ReleaseServer()
    await server.start()
    try:
        index = ReleaseIndex(session, server.index)
        newest = await index.latest()
        assert newest.version == images.NEWEST.version
        assert await index.download(newest.uart) == images.qio()
        assert newest.ota is not None
        assert await index.download(newest.ota) == images.ota()
        assert (await index.get("1.17.360")).uart.digest is None

        server.trouble = Trouble(spoil_downloads=True)
        with pytest.raises(DigestMismatchError):
            await index.download(newest.uart)
        server.trouble = Trouble(cut_downloads_at=1000)
        with pytest.raises(TruncatedDownloadError):
            await index.download(newest.uart)
        server.trouble = Trouble(rate_limited_seconds=600)
        with pytest.raises(RateLimitedError):
            await index.list()
        server.trouble = Trouble(garbage=True)
        with pytest.raises(UnexpectedAnswerError):
            await index.list()
    finally:
        await server.stop()


def test_versions_are_compared_as_numbers() -> None:
    """1.18.99 is older than 1.18.300; a branch's build has no number."""
    assert parse_version("1.18.99") < parse_version("1.18.300")
    assert parse_version("main_0123456789ab") is None
    assert parse_version("1") is None


@pytest.mark.parametrize(
    ("version", "lacking"),
    [
        ("1.17.360", set(Lack)),
        ("1.17.490", set(Lack)),
        ("1.17.491", set(Lack) - {Lack.POWER_FACTOR, Lack.OLDER_DAYS}),
        ("1.17.588", set(Lack) - {Lack.POWER_FACTOR, Lack.OLDER_DAYS}),
        (
            "1.17.589",
            set(Lack) - {Lack.CHIP_TEMPERATURE, Lack.POWER_FACTOR, Lack.OLDER_DAYS},
        ),
        (
            "1.18.25",
            {
                Lack.STATE_ON_REQUEST,
                Lack.TIME_FROM_HOME_ASSISTANT,
                Lack.ENERGY_SURVIVES_UPDATE,
                Lack.MDNS,
            },
        ),
        ("1.18.254", {Lack.ENERGY_SURVIVES_UPDATE, Lack.MDNS}),
        ("1.18.271", set()),
        ("2.0", set()),
        ("main_0123456789ab", set()),
    ],
)
def test_what_a_version_lacks(version: str, lacking: set[Lack]) -> None:
    """The guide's version lacks all of it, today's nothing."""
    assert set(lacks(version)) == lacking
