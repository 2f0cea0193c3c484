"""Talk to a running Home Assistant as its frontend does: REST and WebSocket."""

import asyncio
from pathlib import Path
from typing import Any, Self

import aiohttp


class HomeAssistantClient:
    """One signed-in user."""

    def __init__(self, url: str, token: str) -> None:
        """Prepare for an address such as http://127.0.0.1:8123."""
        self._url = url
        self._token = token
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Open the session."""
        headers = {"Authorization": f"Bearer {self._token}"}
        self._session = aiohttp.ClientSession(self._url, headers=headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the session."""
        await self._session.close()

    async def get(self, path: str) -> Any:
        """Return the JSON answer to a GET."""
        async with self._session.get(path) as response:
            response.raise_for_status()
            return await response.json()

    async def post(self, path: str, payload: Any = None) -> Any:
        """Return the JSON answer to a POST."""
        async with self._session.post(path, json=payload or {}) as response:
            if response.status >= 400:
                raise HomeAssistantRefused(await response.text())
            return await response.json()

    async def delete(self, path: str) -> None:
        """Send a DELETE."""
        async with self._session.delete(path) as response:
            response.raise_for_status()

    async def upload(self, file: Path) -> str:
        """Upload a file as a dialog's file field does and return its id."""
        form = aiohttp.FormData()
        form.add_field("file", file.read_bytes(), filename=file.name)
        async with self._session.post("/api/file_upload", data=form) as response:
            response.raise_for_status()
            file_id: str = (await response.json())["file_id"]
            return file_id

    async def command(self, kind: str, **fields: Any) -> Any:
        """Send one WebSocket command and return its result."""
        async with self._session.ws_connect("/api/websocket") as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": self._token})
            await socket.receive_json()
            await socket.send_json({"id": 1, "type": kind, **fields})
            while (answer := await socket.receive_json()).get("type") != "result":
                pass
            if not answer["success"]:
                raise HomeAssistantRefused(str(answer["error"]))
            return answer["result"]

    async def call(
        self, domain: str, action: str, *, respond: bool = False, **data: Any
    ) -> Any:
        """Perform an action and, if asked, return its response data."""
        answer = await self.command(
            "call_service",
            domain=domain,
            service=action,
            service_data=data,
            return_response=respond,
        )
        return answer.get("response")

    async def state(self, entity_id: str) -> str:
        """Return the state of an entity."""
        found: str = (await self.get(f"/api/states/{entity_id}"))["state"]
        return found

    async def wait_until_up(self, seconds: float) -> None:
        """Wait until Home Assistant answers and has started everything."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    if (await self.get("/api/config"))["state"] == "RUNNING":
                        return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)


def fill_form(schema: list[dict[str, Any]], answers: dict[str, Any]) -> dict[str, Any]:
    """Return what a form submits: the answers, and what it shows where nothing was typed.

    Fields are named alike inside and outside of sections.
    """
    submitted: dict[str, Any] = {}
    for field in schema:
        name = field["name"]
        if field.get("type") == "expandable":
            submitted[name] = fill_form(field["schema"], answers)
            continue
        suggested = (field.get("description") or {}).get("suggested_value")
        value = answers.get(name, field.get("default", suggested))
        if (
            value is None
            and field.get("required")
            and "boolean" in field.get("selector", {})
        ):
            value = False
        if value is not None:
            submitted[name] = value
    return submitted


class HomeAssistantRefused(Exception):
    """Home Assistant answered with an error."""
