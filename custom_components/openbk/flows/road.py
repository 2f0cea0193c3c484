"""What every road to an entry shares, with a chip on the wires or without: what is known, and its end."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, override

from homeassistant.components import mqtt
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
)
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.discovery_flow import DiscoveryKey

from ..const import CONF_CLIENT_ID, CONF_PROFILE, LOGGER
from ..issues.unfinished import UnfinishedSocket
from ..live.entries import async_entry_of
from ..network.discovery import Evidence
from ..network.mqtt import NotConnectedError
from ..pyopenbk.foreign_text import markdown_text
from ..pyopenbk.obk.setup import SocketSettings
from ..pyopenbk.obk.templates import DeviceTemplate
from ..pyopenbk.profile import SocketProfile
from ..pyopenbk.tuya import PinReading
from .forms import Passwords, web_page
from .talking import TalkingFlow

# What is said of a new entry with a meter: for a minute its sensors have nothing to show.
FIRST_VALUES: Final = "metering"
PAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "existing_mqtt_missing": ("existing", "leave"),
    "broker_lost": ("again", "leave"),
    "stopped": ("again", "leave"),
    "no_pins_closed": (
        "pins_guess",
        "pins_known",
        "pins_paste",
        "pins_upload",
        "pins_edit",
        "leave",
    ),
}


@dataclass(kw_only=True)
class RoadSession:
    """What more than one chapter knows of a socket, whichever way it comes to its entry."""

    passwords: Passwords = field(default_factory=Passwords)
    settings: SocketSettings = field(default_factory=SocketSettings)
    entry_mac: str | None = None
    """The socket whose entry the dialog was opened from."""
    wanted_backup: str | None = None
    """The name of the backup that the dialog was opened for."""
    evidence: Evidence | None = None
    """What a socket said that runs already."""
    unfinished: UnfinishedSocket | None = None
    """What an earlier wizard was about to write to it."""

    # Its pins.
    profile: SocketProfile | None = None
    reading: PinReading | None = None
    """Where the profile is from a factory's data: what is doubtful about it."""
    pins_source: str = ""
    """The key of the sentence that says where the profile is from."""
    template: DeviceTemplate | None = None
    """Where it is from a template: what else that says of the device."""

    def take_pins(
        self,
        profile: SocketProfile,
        source: str,
        reading: PinReading | None = None,
        template: DeviceTemplate | None = None,
    ) -> None:
        """Take these pins; ``source`` is the key of where they are from."""
        self.profile, self.reading, self.pins_source = profile, reading, source
        self.template = template


class ConfigRoad(TalkingFlow, ConfigFlow):
    """What a chapter stands on that needs no chip on the wires."""

    pages: ClassVar[Mapping[str, tuple[str, ...]]] = PAGES
    session: RoadSession
    _again: str = ""
    """The step with which the road begins that was stopped last."""

    def __init__(self) -> None:
        """Begin a dialog that knows of no socket yet."""
        super().__init__()
        self.session = RoadSession()

    async def async_prepare(self) -> None:
        """Fetch the words that stand in tables and in sentences."""
        if not self._texts:
            await self.async_fetch_texts("selector", "config")

    async def async_try(
        self, step_id: str, work: Callable[[], Awaitable[str]], *, again: str
    ) -> ConfigFlowResult:
        """Show progress while ``work`` runs, which changes nothing where it is stopped.

        Whatever stops it leads to a page that offers the step ``again``.
        """

        async def attempt() -> str:
            try:
                return await work()
            except NotConnectedError:
                page = "broker_lost"
            except Exception:  # noqa: BLE001 - whatever it was, the person gets a page
                LOGGER.exception("The dialog stopped unexpectedly at %s", step_id)
                page = "stopped"
            self._again = again
            return page

        return await self.async_run(step_id, attempt)

    async def async_step_again(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Begin anew what was stopped."""
        return await self.async_step(self._again)

    async def async_step_leave(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """End, as nobody has touched a socket."""
        return self.async_abort(reason="left_unchanged")

    def kept(self, form: str, field: str) -> str:
        """Return words for what an empty field for a password means."""
        known = self.session.passwords.knows(form, field)
        return self.word("password", "kept" if known else "new")

    def web_password(
        self, address: str, typed: Mapping[str, Any] | None = None
    ) -> str | None:
        """Return the password of a web page; what was typed for another address is none."""
        passwords = self.session.passwords
        return passwords.take(web_page(address), typed or {}, CONF_PASSWORD) or None

    @callback
    def abort_if_topic_taken(self, client_id: str) -> None:
        """End where an entry has this topic: two would show and switch the same socket.

        Every road into an entry comes through here at last.
        """
        if (entry := async_entry_of(self.hass, client_id=client_id)) is not None:
            raise AbortFlow("topic_taken", {"owner": markdown_text(entry.title)})

    async def async_take_identity(self, identity: str) -> ConfigEntry | None:
        """Take the unique id of a socket, and return the entry that it has already.

        One that only says that the socket is to be ignored is none: core puts the new one in its place.
        """
        entry = await self.async_set_unique_id(identity, raise_on_progress=False)
        return None if entry is None or entry.source == SOURCE_IGNORE else entry

    @callback
    @override
    def async_create_entry(
        self, *, data: Mapping[str, Any], **others: Any
    ) -> ConfigFlowResult:
        """Make the entry, unless another flow made one with the same topic meanwhile."""
        if self.source == SOURCE_IGNORE:
            # Core makes it of nothing but the unique id on the card of a socket.
            return super().async_create_entry(data=data, **others)
        self.abort_if_topic_taken(data[CONF_CLIENT_ID])
        # By this core finds the socket anew when its entry is deleted: it has heard of it already.
        key = DiscoveryKey(
            domain=mqtt.DOMAIN, key=f"{data[CONF_CLIENT_ID]}/build", version=1
        )
        self.context.setdefault("discovery_key", key)
        metering = SocketProfile.from_dict(data[CONF_PROFILE]).has_meter
        return super().async_create_entry(
            data=data,
            description=FIRST_VALUES if metering else None,
            description_placeholders={"name": markdown_text(others["title"])},
            **others,
        )
