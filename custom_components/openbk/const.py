"""Names that several modules of the integration share."""

import logging
from typing import Final

DOMAIN: Final = "openbk"
LOGGER: Final = logging.getLogger(__package__)

# Config entry data. None of these names may be one under which the usb integration looks for a
# serial port (device, port, host, serial_port …), or the entry would count as the port's owner.
CONF_MAC: Final = "mac"
CONF_MODEL: Final = "model"
CONF_CLIENT_ID: Final = "client_id"
CONF_GROUP: Final = "group"
CONF_PROFILE: Final = "profile"
CONF_ADDRESS: Final = "address"
CONF_FIRMWARE: Final = "firmware"
# The name of the time zone that the socket's days are counted in; without it Home Assistant's.
CONF_TIME_ZONE: Final = "time_zone"
# Whether the person let us set the socket up: true for one that we flashed.
CONF_TUNED: Final = "tuned"
# Commands that take back what was tuned, by the name of the change.
CONF_UNDO: Final = "undo"
# Whether the socket counts its energy in kWh, where that is known.
CONF_ENERGY_IN_KWH: Final = "energy_in_kwh"
CONF_FEEDS_IN: Final = "feeds_in"
# LEDs that have a channel of their own and are kept dark, by pin; without it such an LED is a light.
CONF_DARK_LEDS: Final = "dark_leds"
CONF_FIRST_LED_USES: Final = "first_led_uses"
# What relays do when power comes back, by channel; the firmware does not tell.
CONF_POWER_CUT: Final = "power_cut"
CONF_CHILD_LOCK: Final = "child_lock"
# What the socket calls its relays, by channel.
CONF_LABELS: Final = "labels"
# Where we published an MQTT discovery payload, to retract it.
CONF_PUBLISHED: Final = "published"

# Options of a socket: which entities there are, and the prefix that discovery is published under.
CONF_MODE: Final = "mode"
CONF_DISCOVERY_PREFIX: Final = "discovery_prefix"

# Which road of the wizard something else leads to, and in what it is told so.
CONF_ROAD: Final = "road"
ROAD_FLASH: Final = "flash"
ROAD_RESTORE: Final = "restore"

EVENT_OVERLOAD: Final = f"{DOMAIN}_overload"
EVENT_RESTARTED: Final = f"{DOMAIN}_restarted"
EVENT_SWITCHED: Final = f"{DOMAIN}_switched"
EVENT_UPDATED: Final = f"{DOMAIN}_updated"
