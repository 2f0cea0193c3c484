"""A release index on loopback: OpenBeken's releases as GitHub's API tells of them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
import hashlib
import json
import time
from typing import Any, Final

from aiohttp import web

from . import images
from .chips import MODELS
from .images import Build

REPOSITORY: Final = "openshwprojects/OpenBK7231T_App"
_API: Final = f"/repos/{REPOSITORY}/releases"
_DOWNLOADS: Final = f"/{REPOSITORY}/releases/download"
_STORAGE: Final = "/release-assets"
_PER_PAGE: Final = 30
_LARGEST_PAGE: Final = 100
# What GitHub grants a client without a login, per hour.
_HOURLY_LIMIT: Final = 60
_HOUR_SECONDS: Final = 3600


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file of a release; its content is made when somebody asks for it."""

    name: str
    make: Callable[[], bytes]
    digest_published: bool = True
    """GitHub publishes none of files that were uploaded before June 2025."""

    @cached_property
    def content(self) -> bytes:
        """Return the file."""
        return self.make()

    @cached_property
    def digest(self) -> str | None:
        """Return the digest as the index has it."""
        if not self.digest_published:
            return None
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


@dataclass(frozen=True, kw_only=True)
class Release:
    """One release."""

    version: str
    published: str
    """As in 2026-11-22T16:50:11Z."""
    notes: str
    assets: tuple[Asset, ...]
    prerelease: bool = False


def _files_of(build: Build) -> dict[str, Callable[[], bytes]]:
    """Return the files that every release has for a chip."""
    chip, version = f"Open{build.chip}", build.version
    return {
        f"{chip}_QIO_{version}.bin": lambda: images.qio(build),
        f"{chip}_UA_{version}.bin": lambda: images.ua(build),
        f"{chip}_{version}.rbl": lambda: images.ota(build),
    }


@cache
def release(
    build: Build,
    published: str,
    notes: str,
    *,
    digests: bool = True,
    prerelease: bool = False,
) -> Release:
    """Return a release with the files that the real ones have for this chip, and others."""
    version = build.version
    chip = f"Open{build.chip}"
    files: dict[str, Callable[[], bytes]] = {}
    for each in {*MODELS, build.chip}:
        files |= _files_of(replace(build, chip=str(each)))
    files |= {
        f"{chip}_UG_{version}.bin": lambda: images.ug(build),
        f"{chip}_{version}_tuyaMCU.rbl": lambda: images.ota(
            replace(build, drivers=images.OF_TUYA_MCU)
        ),
        f"{chip}_UASCENT_QIO_{version}.bin": lambda: images.uascent_qio(build),
        f"OpenBK7231M_QIO_{version}.bin": lambda: images.no_key_qio(build),
        f"OpenLN882H_{version}.bin": lambda: b"LN882H" * 1000,
        f"OpenW800_{version}.fls": lambda: b"W800" * 1000,
    }
    return Release(
        version=version,
        published=published,
        notes=notes,
        prerelease=prerelease,
        assets=tuple(
            Asset(name=name, make=make, digest_published=digests)
            for name, make in sorted(files.items())
        ),
    )


def published_releases(code_size: int | None = None) -> tuple[Release, ...]:
    """Return some releases, newest first: the present one to that of the old guide.

    ``code_size`` is as in `Build.size`.
    """
    other_chips_only = Release(
        version="1.18.299",
        published="2026-11-20T09:12:45Z",
        notes="Build system: only the chips that changed.",
        assets=(Asset(name="OpenLN882H_1.18.299.bin", make=lambda: b"LN882H" * 1000),),
    )
    return (
        release(
            replace(images.NEWEST, size=code_size),
            "2026-11-22T16:50:11Z",
            "* BL0937: steadier readings",
        ),
        other_chips_only,
        release(
            Build(version="1.18.298", built="Nov 14 2026 20:01:10", size=code_size),
            "2026-11-14T20:09:02Z",
            "* MQTT: reconnect faster",
        ),
        release(
            replace(images.OF_THE_GUIDE, size=code_size),
            "2023-12-17T09:20:31Z",
            "* energy counters per day",
            digests=False,
        ),
    )


@dataclass(slots=True)
class Trouble:
    """What goes wrong at the server; all of it can be changed while it runs."""

    rate_limited_seconds: float = 0.0
    """Refuse API requests, and announce that this ends in so many seconds."""
    status: int = 0
    """Answer everything with this HTTP status; 0: none."""
    cut_downloads_at: int | None = None
    """Break the connection after so many bytes of a file."""
    spoil_downloads: bool = False
    """Serve files with one wrong bit."""
    garbage: bool = False
    """Answer API requests with a page that is no JSON."""
    files_at: str = ""
    """Send downloads on to this origin instead of the server's own."""


@dataclass
class ReleaseServer:
    """The server; it listens on loopback from ``start`` to ``stop``."""

    releases: Sequence[Release] = field(default_factory=published_releases)
    trouble: Trouble = field(default_factory=Trouble)
    requests: list[str] = field(default_factory=list)
    """Method, path and status of every request so far."""
    _remaining: int = _HOURLY_LIMIT

    async def start(self, port: int = 0) -> None:
        """Listen; with port 0, on one that is free."""
        app = web.Application(middlewares=[self._note])
        app.router.add_get(_API, self._list)
        app.router.add_get(f"{_API}/latest", self._latest)
        app.router.add_get(f"{_API}/tags/{{tag}}", self._tag)
        app.router.add_get(f"{_DOWNLOADS}/{{tag}}/{{name}}", self._redirect)
        app.router.add_get(f"{_STORAGE}/{{tag}}/{{name}}", self._download)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        host, port = self._runner.addresses[0]
        self._origin = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Close the port."""
        await self._runner.cleanup()

    @property
    def index(self) -> str:
        """Return the address of the list of releases."""
        return f"{self._origin}{_API}"

    @web.middleware
    async def _note(
        self, request: web.Request, handler: Callable[[web.Request], Any]
    ) -> web.StreamResponse:
        response: web.StreamResponse
        if self.trouble.status:
            response = web.Response(status=self.trouble.status)
        elif not request.path.startswith("/repos/"):
            response = await handler(request)
        elif self.trouble.garbage:
            response = web.Response(text="<html>captive portal</html>")
        elif self.trouble.rate_limited_seconds:
            response = self._refuse()
        else:
            response = await handler(request)
            if response.status != web.HTTPNotModified.status_code:
                # Never down to nothing by itself: tests ask more often than people.
                self._remaining = max(1, self._remaining - 1)
            self._count(response, self._remaining, _HOUR_SECONDS)
        self.requests.append(f"{request.method} {request.path} {response.status}")
        return response

    def _refuse(self) -> web.Response:
        response = _answer(
            {
                "message": "API rate limit exceeded for 127.0.0.1. (But here's the good "
                "news: Authenticated requests get a higher rate limit.)",
                "documentation_url": "https://docs.github.com/rest",
            },
            status=403,
        )
        self._count(response, 0, self.trouble.rate_limited_seconds)
        return response

    def _count(
        self, response: web.StreamResponse, remaining: int, seconds: float
    ) -> None:
        response.headers["X-RateLimit-Limit"] = str(_HOURLY_LIMIT)
        response.headers["X-RateLimit-Remaining"] = str(remaining)
        response.headers["X-RateLimit-Used"] = str(_HOURLY_LIMIT - remaining)
        response.headers["X-RateLimit-Reset"] = str(int(time.time() + seconds))
        response.headers["X-RateLimit-Resource"] = "core"

    async def _list(self, request: web.Request) -> web.Response:
        size = _number(request, "per_page", _PER_PAGE, _LARGEST_PAGE)
        page = _number(request, "page", 1, 1_000_000)
        pages = max(1, -(-len(self.releases) // size))
        shown = self.releases[(page - 1) * size : page * size]
        entries = await asyncio.to_thread(lambda: [self._entry(each) for each in shown])
        response = _conditional(request, entries)
        links = {
            "prev": page - 1 if 1 < page <= pages else 0,
            "next": page + 1 if page < pages else 0,
            "last": pages if page < pages else 0,
            "first": 1 if page > 1 else 0,
        }
        if link := ", ".join(
            f'<{self.index}?per_page={size}&page={number}>; rel="{name}"'
            for name, number in links.items()
            if number
        ):
            response.headers["Link"] = link
        return response

    async def _latest(self, request: web.Request) -> web.Response:
        newest = (each for each in self.releases if not each.prerelease)
        return await self._one(request, next(newest, None))

    async def _tag(self, request: web.Request) -> web.Response:
        return await self._one(request, self._find(request.match_info["tag"]))

    async def _one(self, request: web.Request, found: Release | None) -> web.Response:
        if found is None:
            return _not_found()
        return _conditional(request, await asyncio.to_thread(self._entry, found))

    async def _redirect(self, request: web.Request) -> web.Response:
        """Send the client on, as GitHub does to where its files are."""
        if self._find_asset(request) is None:
            return web.Response(status=404, text="Not Found")
        path = request.path.replace(_DOWNLOADS, _STORAGE, 1)
        origin = self.trouble.files_at or self._origin
        return web.Response(status=302, headers={"Location": f"{origin}{path}"})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        asset = self._find_asset(request)
        if asset is None:
            return web.Response(status=404)
        content = await asyncio.to_thread(lambda: asset.content)
        if self.trouble.spoil_downloads:
            middle = len(content) // 2
            content = (
                content[:middle] + bytes((content[middle] ^ 1,)) + content[middle + 1 :]
            )
        response = web.StreamResponse(
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Disposition": f"attachment; filename={asset.name}",
                "Content-Length": str(len(content)),
            }
        )
        await response.prepare(request)
        cut = self.trouble.cut_downloads_at
        await response.write(content[:cut])
        if cut is not None and cut < len(content):
            if request.transport is not None:
                request.transport.abort()
            return response
        await response.write_eof()
        return response

    def _find(self, tag: str) -> Release | None:
        return next((each for each in self.releases if each.version == tag), None)

    def _find_asset(self, request: web.Request) -> Asset | None:
        found = self._find(request.match_info["tag"])
        names = found.assets if found else ()
        wanted = request.match_info["name"]
        return next((each for each in names if each.name == wanted), None)

    def _entry(self, each: Release) -> dict[str, Any]:
        number = 200_000_000 + self.releases.index(each)
        return {
            "url": f"{self.index}/{number}",
            "html_url": f"{self._origin}/{REPOSITORY}/releases/tag/{each.version}",
            "id": number,
            "tag_name": each.version,
            "target_commitish": "main",
            "name": each.version,
            "draft": False,
            "prerelease": each.prerelease,
            "immutable": False,
            "created_at": each.published,
            "updated_at": each.published,
            "published_at": each.published,
            "assets": [self._asset_entry(each, asset) for asset in each.assets],
            "body": each.notes,
        }

    def _asset_entry(self, each: Release, asset: Asset) -> dict[str, Any]:
        number = 300_000_000 + each.assets.index(asset)
        url = f"{self._origin}{_DOWNLOADS}/{each.version}/{asset.name}"
        return {
            "url": f"{self.index}/assets/{number}",
            "id": number,
            "name": asset.name,
            "label": "",
            "content_type": "application/octet-stream",
            "state": "uploaded",
            "size": len(asset.content),
            "digest": asset.digest,
            "download_count": 74,
            "created_at": each.published,
            "updated_at": each.published,
            "browser_download_url": url,
        }


def _answer(value: object, status: int = 200) -> web.Response:
    return web.json_response(value, status=status)


def _not_found() -> web.Response:
    return _answer(
        {
            "message": "Not Found",
            "documentation_url": "https://docs.github.com/rest",
            "status": "404",
        },
        status=404,
    )


def _conditional(request: web.Request, value: object) -> web.Response:
    """Answer, or say that the client has it already."""
    body = json.dumps(value)
    tag = f'W/"{hashlib.sha256(body.encode()).hexdigest()}"'
    known = request.headers.get("If-None-Match", "")
    if tag in (each.strip() for each in known.split(",")):
        return web.Response(status=304, headers={"ETag": tag})
    return web.json_response(text=body, headers={"ETag": tag})


def _number(request: web.Request, name: str, default: int, largest: int) -> int:
    text = request.query.get(name, "")
    return min(int(text), largest) if text.isdigit() and int(text) else default
