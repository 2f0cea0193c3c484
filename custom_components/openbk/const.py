"""Names that several modules of the integration share."""

import logging
from typing import Final

DOMAIN: Final = "openbk"
LOGGER: Final = logging.getLogger(__package__)

# Config entry data. None of these names may be one under which the usb integration looks for a
# serial port (device, port, host, serial_port …), or the entry would count as the port's owner.
CONF_MAC: Final = "mac"
CONF_CLIENT_ID: Final = "client_id"
CONF_GROUP: Final = "group"
CONF_PROFILE: Final = "profile"
CONF_ADDRESS: Final = "address"
CONF_FIRMWARE: Final = "firmware"
# Whether the person let us set the socket up: true for one that we flashed.
CONF_TUNED: Final = "tuned"
