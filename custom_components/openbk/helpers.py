"""What several rooms need of Home Assistant and core has no function for."""

from datetime import timedelta, tzinfo

from homeassistant.util import dt as dt_util


def utc_offset(time_zone: tzinfo | None = None) -> timedelta:
    """Return how far a time zone, or else Home Assistant's, is from UTC now, with summer time."""
    return dt_util.now(time_zone).utcoffset() or timedelta()
