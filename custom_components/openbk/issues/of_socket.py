"""Issues about one socket: how each is numbered, named, raised and withdrawn."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from ..const import DOMAIN
from ..live.state import OpenBekenConfigEntry
from ..pyopenbk.foreign_text import markdown_text

CALIBRATION_MANUAL: Final = (
    "https://github.com/openbk/openbk-home-assistant/blob/main/docs/calibration.md"
)
_NO_VALUES: Final[Mapping[str, str]] = MappingProxyType({})


def issue_id_of(entry: OpenBekenConfigEntry, issue: str) -> str:
    """Return the id of an issue about the socket of an entry."""
    return f"{issue}_{entry.entry_id}"


@callback
def raise_issue(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    issue: str,
    values: Mapping[str, str] = _NO_VALUES,
    *,
    text: str | None = None,
    fixable: bool = True,
    persistent: bool = False,
    severity: ir.IssueSeverity = ir.IssueSeverity.WARNING,
    learn_more_url: str | None = None,
    data: Mapping[str, str] = _NO_VALUES,
) -> None:
    """Raise an issue, or change it; its ``text`` is that of its own name unless told otherwise.

    The text gets the name of the socket, and ``values``, in which foreign text is escaped already.
    ``data`` is kept with what can be repaired.
    """
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id_of(entry, issue),
        is_fixable=fixable,
        is_persistent=persistent,
        severity=severity,
        translation_key=text or issue,
        translation_placeholders={"name": markdown_text(entry.title), **values},
        data={"entry_id": entry.entry_id, **data} if fixable else None,
        learn_more_url=learn_more_url,
    )


@callback
def withdraw_issues(
    hass: HomeAssistant, entry: OpenBekenConfigEntry, *issues: str
) -> None:
    """Withdraw what was told of a socket, where it was."""
    for issue in issues:
        ir.async_delete_issue(hass, DOMAIN, issue_id_of(entry, issue))


@callback
def leave_issues(
    hass: HomeAssistant, entry: OpenBekenConfigEntry, *issues: str
) -> None:
    """Withdraw what was told of a socket that is unloaded, but for what a person ignores.

    It is set up anew after each change of its options, and what is told anew is not ignored.
    """
    for issue in issues:
        if not is_ignored(hass, entry, issue):
            withdraw_issues(hass, entry, issue)


@callback
def is_ignored(hass: HomeAssistant, entry: OpenBekenConfigEntry, issue: str) -> bool:
    """Return whether a person wants an issue to be ignored."""
    known = ir.async_get(hass).async_get_issue(DOMAIN, issue_id_of(entry, issue))
    return known is not None and known.dismissed_version is not None


@callback
def forget_issues(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> None:
    """Withdraw all that was told of a socket that is removed."""
    own = issue_id_of(entry, "")
    for domain, issue_id in [*ir.async_get(hass).issues]:
        if domain == DOMAIN and issue_id.endswith(own):
            ir.async_delete_issue(hass, DOMAIN, issue_id)
