"""What updates have left behind: repairs that say it, send the firmware again, or go on."""

from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..live.state import OpenBekenConfigEntry, SocketState
from ..pyopenbk.foreign_text import markdown_text
from ..updating.all import Report, UpdateAll, sockets_to_update
from ..updating.record import UpdateFailed, UpdateRecord
from ..updating.updates import UPDATES
from .of_socket import leave_issues, raise_issue, withdraw_issues

ISSUE: Final = "update_all_stopped"
OF_ONE_SOCKET: Final = "update"
CONF_WATCH: Final = "watch"

# A socket whose web server comes back says nothing of it.
_LOOK_EVERY: Final = 120.0
_RUNNING: Final[HassKey[UpdateAll]] = HassKey(f"{DOMAIN}.update_all")


@callback
def async_watch_updates(hass: HomeAssistant, socket: SocketState) -> CALLBACK_TYPE:
    """Tell what the updates of a socket leave behind; return the function that stops it."""
    return _Watch(hass, socket).stop


class _Watch:
    def __init__(self, hass: HomeAssistant, socket: SocketState) -> None:
        self._hass = hass
        self._socket = socket
        self._update = hass.data[UPDATES].of(socket.identity)
        self._timer: CALLBACK_TYPE | None = None
        self._stops = (
            self._update.listen(self._show),
            socket.listen_online(self._follow_up),
            socket.listen_described(self._follow_up),
        )
        self._show()
        self._follow_up()

    @callback
    def stop(self) -> None:
        for stop in self._stops:
            stop()
        self._look_no_more()
        leave_issues(self._hass, self._socket.entry, OF_ONE_SOCKET)

    @callback
    def _follow_up(self) -> None:
        self._hass.data[UPDATES].async_follow_up(self._socket.entry)

    @callback
    def _show(self) -> None:
        record = self._update.record
        if record is None or record.trouble is None or self._update.stage is not None:
            self._look_no_more()
            withdraw_issues(self._hass, self._socket.entry, OF_ONE_SOCKET)
            return
        self._raise_issue(record)
        if self._timer is None:
            self._look_later()

    def _look_no_more(self) -> None:
        if self._timer is not None:
            self._timer()
            self._timer = None

    def _look_later(self) -> None:
        self._timer = self._hass.loop.call_later(_LOOK_EVERY, self._look).cancel

    @callback
    def _look(self) -> None:
        self._look_later()
        self._follow_up()

    def _raise_issue(self, record: UpdateRecord) -> None:
        raise_issue(
            self._hass,
            self._socket.entry,
            OF_ONE_SOCKET,
            {
                "version": markdown_text(record.version),
                "before": markdown_text(record.before),
            },
            text=f"{OF_ONE_SOCKET}_{record.trouble}",
            severity=ir.IssueSeverity.ERROR,
        )


async def async_update_all(
    hass: HomeAssistant,
    *,
    watch: float,
    first: OpenBekenConfigEntry | None = None,
) -> Report:
    """Update all sockets that have an update, ``first`` one before the others.

    The first is watched for ``watch`` seconds. Where it stops, a repair says where it stands and
    goes on. Raises UpdateFailed where it is at work already, and where no update is offered for
    ``first``.
    """
    if _RUNNING in hass.data:
        raise UpdateFailed("all_running")
    hass.data[_RUNNING] = run = UpdateAll(hass, watch)
    try:
        sockets = sockets_to_update(hass)
        if first is not None and all(entry is not first for entry, _ in sockets):
            # Another one in its place would be a canary that nobody chose.
            raise UpdateFailed("all_not_offered", name=first.title)
        sockets.sort(key=lambda item: item[0] is not first)
        report = await run.async_run(sockets)
    finally:
        del hass.data[_RUNNING]
    if report.failed is None:
        ir.async_delete_issue(hass, DOMAIN, ISSUE)
    else:
        ir.async_create_issue(
            hass,
            DOMAIN,
            ISSUE,
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key=ISSUE,
            translation_placeholders={
                "updated": str(len(report.updated)),
                "left": str(len(report.left)),
                "name": markdown_text(report.failed),
            },
            data={CONF_WATCH: watch},
        )
    return report
