"""Names that a socket has because of its chip and its MAC."""

import re
from typing import Final

from ..beken.chips import CHIPS, Chip
from ..beken.rf_sector import is_generic_mac


def client_id_of(mac: str) -> str:
    """Return the client id that the firmware itself would take for this MAC."""
    return f"obk{mac.replace(':', '').upper()[-8:]}"


def long_name_of(mac: str, chip: Chip) -> str:
    """Return the name in the network that the firmware takes for this MAC; its Wi-Fi has it too."""
    return f"Open{chip.name}_{re.sub('[:-]', '', mac).upper()[-8:]}"


def client_id_of_host(host_name: str) -> str | None:
    """Return the client id that a socket has by default, from its name in the network.

    Both names of it end with the last four bytes of its MAC: OpenBK7231N_8C123456, and
    obk8C123456 with flag 29.
    """
    if (match := _HOST_NAME.fullmatch(host_name.casefold())) is None:
        return None
    return f"{_PREFIXES[match['name']]}{match['tail'].upper()}"


def group_of(chip: str | None) -> str:
    """Return the group topic that a socket with this chip has by default, empty for unknown ones."""
    known = CHIPS.get(chip or "")
    return known.group if known else ""


def identity_of(mac: str, client_id: str) -> str:
    """Return what tells a socket from all others for good: its MAC, in lower case with colons.

    A chip that lost its RF data has the MAC of all such chips; then the topic that it has at first
    is what tells it from them.
    """
    return f"{mac}_{client_id}" if is_generic_mac(mac) else mac


_PREFIXES: Final = {
    name.casefold(): chip.prefix
    for chip in CHIPS.values()
    for name in (f"Open{chip.name}_", chip.prefix)
}
_HOST_NAME: Final = re.compile(
    rf"(?P<name>{'|'.join(_PREFIXES)})(?P<tail>[0-9a-f]{{8}})"
)
