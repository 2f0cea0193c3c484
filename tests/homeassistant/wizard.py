"""Walks through the wizard as a browser does, and looks at the texts of every page on the way."""

import asyncio
from collections.abc import Iterator, Mapping
import json
from pathlib import Path
import re
from typing import Any, Final, Self

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.data_entry_flow import FlowResultType

from custom_components.openbk.const import DOMAIN
from tests.homeassistant.walks import WALKED

TRANSLATIONS: Final = (
    Path(__file__).parents[2] / "custom_components" / DOMAIN / "translations"
)
ENGLISH: Final[dict[str, Any]] = json.loads((TRANSLATIONS / "en.json").read_text())
_PLACEHOLDER: Final = re.compile(r"{(\w+)}")
# A shorter one may well be a part of something else.
_SHORTEST_SECRET: Final = 6

TYPED: Final[set[str]] = set()
"""The passwords that were typed in this test: no page, message, state or entry shows them again."""


class MissingText(AssertionError):
    """A page shows a text that the translations lack, or a placeholder without a value."""


class Wizard:
    """One config flow; each method returns when the next page is there."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.hass = hass
        self.result: ConfigFlowResult
        self.pages: list[str] = []
        self.percentages: list[float] = []
        self._answered = False
        self._choice: str | None = None
        self._moved = asyncio.Event()
        hass.bus.async_listen("data_entry_flow_progress_update", self._progressed)
        hass.bus.async_listen("data_entry_flow_progressed", self._moved_on)

    @callback
    def _progressed(self, event: Event) -> None:
        self.percentages.append(event.data["progress"])

    @callback
    def _moved_on(self, event: Event) -> None:
        if event.data["flow_id"] == self.result["flow_id"]:
            self._moved.set()

    @classmethod
    async def open(cls, hass: HomeAssistant, choice: str | None = None) -> Self:
        wizard = cls(hass)
        await wizard._show(
            await hass.config_entries.flow.async_init(
                DOMAIN, context={"source": SOURCE_USER}
            )
        )
        if choice is not None:
            await wizard.choose(choice)
        return wizard

    @classmethod
    async def follow(cls, hass: HomeAssistant, flow_id: str) -> Self:
        """Go on with a flow that something else has begun."""
        wizard = cls(hass)
        await wizard._show(await hass.config_entries.flow.async_configure(flow_id))
        return wizard

    @property
    def page(self) -> str:
        """The step that is shown, or the reason for which the flow ended."""
        return self.pages[-1]

    @property
    def errors(self) -> Mapping[str, str]:
        return self.result.get("errors") or {}

    @property
    def placeholders(self) -> Mapping[str, str]:
        return self.result.get("description_placeholders") or {}

    @property
    def suggested(self) -> dict[str, Any]:
        """What the form is filled in with; the values of sections are inside theirs."""
        return _suggestions(self.result["data_schema"].schema)

    @property
    def sent(self) -> str:
        """All that the browser gets: a form's schema does not tell what it is filled in with."""
        filled_in = self.suggested if self.result.get("data_schema") else {}
        return f"{self.result} {filled_in}"

    async def choose(self, option: str) -> str:
        assert self.result["type"] is FlowResultType.MENU, self.page
        assert option in self.result["menu_options"], self.result["menu_options"]
        return await self._configure({"next_step_id": option})

    async def submit(self, **values: Any) -> str:
        assert self.result["type"] is FlowResultType.FORM, self.page
        return await self._configure(values)

    async def submit_suggested(self, **changes: Any) -> str:
        """Submit a form as it was filled in, but for these changes."""
        return await self._configure(_merged(self.suggested, changes))

    async def start(self, option_or_values: str | dict[str, Any]) -> str:
        """Begin a long step and return as soon as its progress is shown."""
        values = (
            {"next_step_id": option_or_values}
            if isinstance(option_or_values, str)
            else option_or_values
        )
        self._answer(values)
        result = await self.hass.config_entries.flow.async_configure(
            self.result["flow_id"], values
        )
        self.look_at(result)
        return self.page

    async def settle(self) -> str:
        """Wait for the end of the long steps."""
        return await self._show(self.result)

    async def close(self) -> None:
        """Close the dialog."""
        self.hass.config_entries.flow.async_abort(self.result["flow_id"])

    def _answer(self, values: Mapping[str, Any]) -> None:
        self._answered, self._choice = True, values.get("next_step_id")
        TYPED.update(_passwords(values))

    async def _configure(self, values: dict[str, Any]) -> str:
        self._answer(values)
        return await self._show(
            await self.hass.config_entries.flow.async_configure(
                self.result["flow_id"], values
            )
        )

    async def _show(self, result: ConfigFlowResult) -> str:
        self.look_at(result)
        while self.result["type"] is FlowResultType.SHOW_PROGRESS:
            # A browser asks again when it is told to; asking at any other time, it could be the
            # second to take the last step.
            await self._moved.wait()
            self._moved.clear()
            self.look_at(
                await self.hass.config_entries.flow.async_configure(result["flow_id"])
            )
        return self.page

    def look_at(self, result: ConfigFlowResult) -> None:
        self.result = result
        page = _check_texts(result)
        for secret in TYPED:
            assert secret not in self.sent, f"{page} shows a password"
        before = self.pages[-1] if self.pages else None
        if self._answered or page != before:
            WALKED.note(before, self._choice, page)
        self._answered, self._choice = False, None
        if page != before:
            self.pages.append(page)


def _passwords(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _passwords(value)
        elif "password" in key and len(str(value)) >= _SHORTEST_SECRET:
            yield str(value)


def _check_texts(result: ConfigFlowResult) -> str:
    """Raise MissingText unless every text of a page is there; return the page's name."""
    config = ENGLISH["config"]
    values = result.get("description_placeholders") or {}
    match result["type"]:
        case FlowResultType.ABORT:
            reason = result["reason"]
            if "translation_domain" not in result:
                _check(config["abort"], reason, values)
            return reason
        case FlowResultType.CREATE_ENTRY:
            if (description := result["description"]) is not None:
                _check(config["create_entry"], description, values)
            return "created"
        case FlowResultType.SHOW_PROGRESS:
            _check(config["step"], result["step_id"], values)
            _check(config["progress"], result["progress_action"], values)
        case FlowResultType.MENU:
            _check(config["step"], result["step_id"], values)
            options = config["step"][result["step_id"]]["menu_options"]
            for option in list(result["menu_options"]):
                _check(options, option, values)
        case FlowResultType.FORM:
            _check(config["step"], result["step_id"], values)
            for error in (result.get("errors") or {}).values():
                _check(config["error"], error, values)
            if (schema := result.get("data_schema")) is not None:
                _check_fields(config["step"][result["step_id"]], schema.schema, values)
    return result["step_id"]


def _check_fields(
    texts: Mapping[str, Any], fields: Mapping[Any, Any], values: Mapping[str, str]
) -> None:
    for key, value in fields.items():
        if hasattr(value, "options") and "collapsed" in value.options:
            section = texts.get("sections", {}).get(str(key), {})
            if "name" not in section:
                raise MissingText(f"section {key}")
            _check_fields(section, value.schema.schema, values)
        else:
            _check(texts.get("data", {}), str(key), values)
            _check(texts.get("data_description", {}), str(key), values)


def _check(texts: Mapping[str, Any], key: str, values: Mapping[str, str]) -> None:
    if key not in texts:
        raise MissingText(key)
    text = texts[key]
    if isinstance(text, dict):
        text = "\n".join(
            text.get(part, "") for part in ("title", "description", "submit")
        )
    if missing := set(_PLACEHOLDER.findall(text)) - set(values):
        raise MissingText(f"{key}: nothing for {', '.join(sorted(missing))}")


def _suggestions(fields: Mapping[Any, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in fields.items():
        if hasattr(value, "options") and "collapsed" in value.options:
            values[str(key)] = _suggestions(value.schema.schema)
            continue
        if isinstance(key, str):
            continue
        suggested = (key.description or {}).get("suggested_value")
        if suggested is None and callable(key.default):
            suggested = key.default()
        if suggested is not None:
            values[str(key)] = suggested
    return values


def _merged(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, change in changes.items():
        if isinstance(change, Mapping):
            merged[key] = _merged(merged.get(key, {}), change)
        elif change is None:
            merged.pop(key, None)
        else:
            merged[key] = change
    return merged
