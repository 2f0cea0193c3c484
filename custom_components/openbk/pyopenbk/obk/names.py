"""Names that a socket has because of its MAC."""


def client_id_of(mac: str) -> str:
    """Return the client id that the firmware itself would take for this MAC."""
    return f"obk{mac.replace(':', '').upper()[-8:]}"
