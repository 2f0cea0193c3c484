"""What is kept of a socket that was flashed and has reported in."""

from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.device_registry import format_mac

from ...const import (
    CONF_ADDRESS,
    CONF_CHILD_LOCK,
    CONF_CLIENT_ID,
    CONF_DARK_LEDS,
    CONF_FIRMWARE,
    CONF_GROUP,
    CONF_MAC,
    CONF_MODEL,
    CONF_POWER_CUT,
    CONF_PROFILE,
    CONF_PUBLISHED,
    CONF_TIME_ZONE,
    CONF_TUNED,
)
from ...live.calibration import SocketCalibration
from ...pyopenbk.obk import config_sector
from ...pyopenbk.obk.builds import in_todays_words
from ...pyopenbk.obk.flags import Flag, power_cut_state
from ...pyopenbk.obk.meter import factors_of
from ...pyopenbk.obk.startup import Part
from .session import WizardSession

# What an entry knows that does not come from the chip.
_OUTLIVE_FLASHING: Final = (CONF_DARK_LEDS, CONF_PUBLISHED)


def entry_data(session: WizardSession) -> dict[str, Any]:
    """Return what is kept of a socket that has reported in; nothing secret is in it."""
    assert session.arrival is not None
    assert session.profile is not None
    written = config_sector.parse(session.written_config)
    build = session.arrival.build
    return {
        CONF_MAC: format_mac(session.written_mac),
        CONF_CLIENT_ID: session.settings.client_id,
        CONF_GROUP: session.settings.group,
        CONF_MODEL: session.settings.model or None,
        CONF_PROFILE: session.profile.with_extras("", 0).as_dict(),
        CONF_ADDRESS: session.arrival.address,
        CONF_FIRMWARE: build and in_todays_words(build, session.chip.name),
        CONF_TIME_ZONE: session.settings.time_zone,
        # Somebody's own start-up command may need the clock as it is.
        CONF_TUNED: Part.CLOCK not in session.left_out,
        CONF_CHILD_LOCK: bool(written.flags & Flag.IGNORE_BUTTONS.mask),
        CONF_POWER_CUT: {
            str(relay.channel): state
            for relay in session.profile.relays
            if (state := power_cut_state(written.start_values[relay.channel]))
        },
    }


@callback
def reflashed_data(session: WizardSession, entry: ConfigEntry) -> dict[str, Any]:
    """Return the data of an entry whose socket was flashed again."""
    data = entry_data(session)
    old = {key: entry.data[key] for key in _OUTLIVE_FLASHING if key in entry.data}
    if entry.data[CONF_PROFILE] != data[CONF_PROFILE]:
        old.pop(CONF_DARK_LEDS, None)
    return old | data


@callback
def async_tell_factors(
    hass: HomeAssistant, session: WizardSession, entry: ConfigEntry
) -> None:
    """Let a calibration follow the factors that the socket has now: it is about pulses."""
    profile = session.profile
    assert profile is not None
    if not profile.has_meter:
        return
    loaded = entry.state is ConfigEntryState.LOADED
    known = (
        entry.runtime_data.calibration
        if loaded
        else SocketCalibration(hass, entry, profile.assumed_meter)
    )
    meter = profile.assumed_meter
    before = session.settings.before
    if (
        before is not None
        and before.profile.meter_kind is profile.meter_kind
        and not known.factors
    ):
        # What it was corrected with, as far as anybody can know.
        known.learn_factors(factors_of(before.calibration, meter))
    written = config_sector.parse(session.written_config).calibration
    known.learn_factors(factors_of(written, meter))
