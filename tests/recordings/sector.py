"""Puts the recorded configuration sector together."""

from .recording import part

_SIZE = 3584


def saved_sector() -> bytes:
    """Return the 3584 bytes that a real OpenBeken saved."""
    sector = bytearray(_SIZE)
    for case in part("saved_sector", "pieces"):
        start, piece = int(case["stimulus"], 16), bytes.fromhex(case["bytes"])
        sector[start : start + len(piece)] = piece
    return bytes(sector)
