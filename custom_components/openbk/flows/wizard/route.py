"""Where the wizard goes on: the one place that knows which step follows another chapter's."""

from typing import Final

from ...pyopenbk.backups import Contents
from ...pyopenbk.flashing import RfSectorMisplacedError, RfSectorMissingError
from .session import WizardSession

_HOLDS: Final = {
    Contents.FACTORY: "pins",
    Contents.UNKNOWN: "found_unknown",
    Contents.BLANK: "found_blank",
    Contents.HALF_WRITTEN: "found_half_written",
    Contents.OPENBEKEN: "found_openbeken",
}
# What an earlier wizard has left, by what the chip holds.
UNFINISHED: Final = {
    Contents.HALF_WRITTEN: "resume",
    Contents.OPENBEKEN: "unreported",
}


def after_linking(session: WizardSession) -> str:
    """Return the step for a chip that answers."""
    return "compare" if session.reading_back else "backup"


def after_reading(session: WizardSession) -> str:
    """Return the step for a chip that was read; raises what keeps it from being written."""
    if session.is_another_chip:
        return "other_chip"
    if session.restoring:
        if session.restore_confirmed:
            return "restore_write"
        return _unfinished_restore(session) or "restore_choose"
    assert session.analysis is not None
    confirmed = bool(session.expected_macs)
    if not confirmed and (page := _unfinished_restore(session)) is not None:
        return page
    if (page := _lost_radio(session)) is not None:
        return page
    if session.analysis.obstacle is not None:
        raise session.analysis.obstacle
    if not confirmed:
        return at_first_sight(session)
    # An address that many chips have does not tell whether it is still the same one.
    return "write_confirm" if session.analysis.mac_is_generic else "write"


def at_first_sight(session: WizardSession) -> str:
    """Return the step for what a chip holds that can be written."""
    assert session.analysis is not None
    session.take_settings_of_chip()
    if session.unfinished is not None:
        session.take_up(session.unfinished)
        return UNFINISHED[session.analysis.state]
    built_for = session.analysis.build_chip
    if session.analysis.state is Contents.OPENBEKEN and built_for not in (
        None,
        session.chip.name,
    ):
        return "found_other_build"
    return _HOLDS[session.analysis.state]


def _unfinished_restore(session: WizardSession) -> str | None:
    """Take up what an interrupted restore was putting back, and return its page."""
    record = session.analysis.unfinished if session.analysis else None
    if record is None:
        return None
    for backup in session.found_backups:
        if backup.path.name == record.restores:
            session.chosen_backup = backup
            # What was agreed to when it began.
            session.foreign = backup.mac != record.mac
            session.keep_radio = record.allowance.spares(
                session.chip.flash.rf_calibration
            )
            return "resume_restore"
    return None


def _lost_radio(session: WizardSession) -> str | None:
    """Return the page for a calibration that is missing, or that is the one of every such chip."""
    assert session.analysis is not None
    match session.analysis.obstacle:
        case RfSectorMissingError():
            return "radio_missing"
        case RfSectorMisplacedError(found=()) if session.radio_begun:
            # An erase that broke off leaves anything behind.
            return "radio_missing"
        case None if session.analysis.mac_is_generic and not session.generic_accepted:
            if session.entry_own_mac is not None:
                # It is said to be a socket that has an address of its own.
                return "radio_missing"
            taken = (session.mac or "") in session.titles
            return "radio_generic_taken" if taken else "radio_generic"
    return None


def after_pins(session: WizardSession) -> str:
    """Return the step once the pins were taken as they are shown."""
    if session.evidence is not None:
        # It runs already; what its template would bring along is left as it is.
        return "tune"
    return "pins_extras" if session.has_extras else "name"


def after_name(session: WizardSession) -> str:
    """Ask for nothing that the socket before has proven, and offer what the chip itself knows."""
    if session.same_settings:
        return after_settings(session)
    unchosen = not session.settings.wifi.ssid
    return "known_wifi" if unchosen and session.factory_wifi is not None else "wifi"


def after_settings(session: WizardSession) -> str:
    """Skip the firmware where it was chosen before and only settings were corrected."""
    return "releases" if session.image is None else "write_confirm"


def after_backup_chosen(session: WizardSession) -> str:
    """Ask first whether the chip shall have a topic of its own, where another socket has it."""
    session.own_topic = False
    return "restore_confirm" if session.twin is None else "restore_twin"
