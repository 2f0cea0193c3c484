"""A release index on loopback that answers as GitHub's does."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import hashlib
from typing import Any

from aiohttp import web


@dataclass
class ReleaseServer:
    """Files by version; what is served can be changed while it runs."""

    images: dict[str, bytes]
    digests: bool = True
    refuse: int | None = None
    """An HTTP status to answer every question with."""
    served: list[str] = field(default_factory=list)
    address: str = ""

    def index(self) -> list[dict[str, Any]]:
        """Return the whole index."""
        return [self.entry(version) for version in self.images]

    def entry(self, version: str) -> dict[str, Any]:
        """Return one release."""
        data = self.images[version]
        name = f"OpenBK7231N_QIO_{version}.bin"
        asset: dict[str, Any] = {
            "name": name,
            "browser_download_url": f"{self.address}/files/{version}/{name}",
            "size": len(data),
            "state": "uploaded",
        }
        if self.digests:
            asset["digest"] = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return {
            "tag_name": version,
            "name": version,
            "published_at": "2026-07-20T10:00:00Z",
            "created_at": "2026-07-20T10:00:00Z",
            "body": f"What is new in {version}",
            "draft": False,
            "prerelease": False,
            "assets": [asset],
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one question."""
        self.served.append(request.path)
        if self.refuse is not None:
            headers: Mapping[str, str] = {
                "X-RateLimit-Remaining": "0",
                "Retry-After": "60",
            }
            return web.Response(status=self.refuse, headers=headers)
        parts = request.path.strip("/").split("/")
        if parts == ["releases"]:
            return web.json_response(self.index())
        if parts[:2] == ["releases", "tags"] and parts[2] in self.images:
            return web.json_response(self.entry(parts[2]))
        if parts[0] == "files" and parts[1] in self.images:
            return web.Response(body=self.images[parts[1]])
        return web.json_response({"message": "Not Found"}, status=404)


@asynccontextmanager
async def release_server(images: dict[str, bytes]) -> AsyncIterator[ReleaseServer]:
    """Serve these images."""
    server = ReleaseServer(images)
    application = web.Application()
    application.router.add_get("/{path:.*}", server.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.address = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
