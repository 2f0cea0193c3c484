"""The precision that the firmware reckons with."""

import struct


def single(value: float) -> float:
    """Round to single precision; what is too large for it becomes infinite."""
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    rounded: float = struct.unpack("<f", packed)[0]
    return rounded
