"""The boot ROM's commands: their names here, their numbers on the wire."""

from enum import StrEnum
from typing import Final

PREAMBLE: Final = b"\x01\xe0\xfc"
LINK_CHECK: Final = PREAMBLE + b"\x01\x00"
LINK_REPLY: Final = bytes.fromhex("040E0501E0FC0100")

# A length byte of FF followed by F4 opens a long frame with a length of two bytes.
LONG: Final = 0xFF
LONG_MARK: Final = 0xF4


class Command(StrEnum):
    """One command, whichever of the two number spaces it is in."""

    LINK_CHECK = "link_check"
    WRITE_REGISTER = "write_register"
    READ_REGISTER = "read_register"
    REBOOT = "reboot"
    SET_BAUDRATE = "set_baudrate"
    CRC = "crc"
    BOOT_VERSION = "boot_version"
    RESET = "reset"
    STAY = "stay"
    WRITE = "write"
    WRITE_4K = "write_4k"
    READ = "read"
    READ_4K = "read_4k"
    ERASE_CHIP = "erase_chip"
    ERASE_4K = "erase_4k"
    READ_STATUS = "read_status"
    WRITE_STATUS = "write_status"
    FLASH_ID = "flash_id"
    ERASE = "erase"
    UNKNOWN = "unknown"


SHORT_COMMANDS: Final = {
    0x00: Command.LINK_CHECK,
    0x01: Command.WRITE_REGISTER,
    0x03: Command.READ_REGISTER,
    0x0E: Command.REBOOT,
    0x0F: Command.SET_BAUDRATE,
    0x10: Command.CRC,
    0x11: Command.BOOT_VERSION,
    0x70: Command.RESET,
    0xAA: Command.STAY,
}

LONG_COMMANDS: Final = {
    0x06: Command.WRITE,
    0x07: Command.WRITE_4K,
    0x08: Command.READ,
    0x09: Command.READ_4K,
    0x0A: Command.ERASE_CHIP,
    0x0B: Command.ERASE_4K,
    0x0C: Command.READ_STATUS,
    0x0D: Command.WRITE_STATUS,
    0x0E: Command.FLASH_ID,
    0x0F: Command.ERASE,
}


def junk_before_command(data: bytes) -> int:
    """Return how many bytes come before a preamble, or before what may become one."""
    start = data.find(PREAMBLE)
    if start >= 0:
        return start
    for length in (2, 1):
        if data.endswith(PREAMBLE[:length]):
            return len(data) - length
    return len(data)


def short_reply(code: int, payload: bytes) -> bytes:
    """Build the reply to a short command."""
    return (
        b"\x04\x0e" + bytes((4 + len(payload),)) + PREAMBLE + bytes((code,)) + payload
    )


def long_reply(code: int, status: int, payload: bytes = b"") -> bytes:
    """Build the reply to a long command."""
    length = (2 + len(payload)).to_bytes(2, "little")
    head = b"\x04\x0e\xff" + PREAMBLE + bytes((LONG_MARK,)) + length
    return head + bytes((code, status)) + payload
