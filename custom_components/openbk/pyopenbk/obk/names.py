"""Names that a socket has because of its MAC."""

from ..beken.rf_sector import is_generic_mac


def client_id_of(mac: str) -> str:
    """Return the client id that the firmware itself would take for this MAC."""
    return f"obk{mac.replace(':', '').upper()[-8:]}"


def identity_of(mac: str, client_id: str) -> str:
    """Return what tells a socket from all others for good: its MAC, in lower case with colons.

    A chip that lost its RF data has the MAC of all such chips; then the topic that it has at first
    is what tells it from them.
    """
    return f"{mac}_{client_id}" if is_generic_mac(mac) else mac
