"""Serial adapters as Linux's drivers have them: rates, rounding, RTS and DTR, latency."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

type WrittenBack = Callable[[int, int], int]
"""What a driver leaves in termios: given the rate that was asked for and the one before."""

# AN205 table 1, as drivers/usb/serial/cp210x.c has it in cp210x_an205_table1: each rate of a
# CP2102, and the highest that is asked for and gets it.
_AN205: Final = (
    (115_200, 117_028),
    (128_000, 129_347),
    (153_600, 156_868),
    (230_400, 237_832),
    (250_000, 254_234),
    (256_000, 273_066),
    (460_800, 491_520),
    (500_000, 567_138),
    (576_000, 670_254),
)
# Those that a PL2303 knows by name: drivers/usb/serial/pl2303.c, pl2303_get_supported_baud_rate.
_PL2303_NAMED: Final = frozenset(
    (115_200, 230_400, 460_800, 614_400, 921_600, 1_228_800, 2_457_600, 3_000_000)
)
_PL2303_BASE: Final = 12_000_000 * 32


def _cp2102(asked: int, before: int) -> int:
    """As cp210x_change_speed with the limit of cp210x_init_max_speed: 1 Mbaud, AN205 below that."""
    rate = min(asked, 1_000_000)
    if rate >= 1_000_000:
        return rate
    return next((known for known, highest in _AN205 if rate <= highest), 921_600)


def _cp2102n(asked: int, before: int) -> int:
    """As cp210x_get_actual_rate: what 48 MHz divide to, up to 3 Mbaud."""
    divisor = round(48_000_000 / (2 * min(asked, 3_000_000)))
    return 48_000_000 // (2 * divisor)


def _pl2303(highest: int) -> WrittenBack:
    """As pl2303_encode_baud_rate: cut to the type's limit, named or made by a divisor."""

    def written_back(asked: int, before: int) -> int:
        rate = min(asked, highest)
        if rate in _PL2303_NAMED:
            return rate
        divisor, shift = _PL2303_BASE // rate, 0
        while divisor >= 512:
            divisor, shift = divisor >> 2, shift + 2
        return (_PL2303_BASE // divisor) >> shift

    return written_back


def _refuses_above(highest: int) -> WrittenBack:
    """As uart_get_baud_rate of serial_core.c: the old rate stays where the new one is no good."""

    def written_back(asked: int, before: int) -> int:
        if asked <= highest:
            return asked
        return min(before, highest)

    return written_back


def _as_asked(asked: int, before: int) -> int:
    return asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One kind of serial port; ``driver`` is the file in Linux's source that says so."""

    name: str
    driver: str
    written_back: WrittenBack
    latency: float | None
    """Seconds that a packet waits for more bytes before it goes over USB; None: no USB."""
    low_latency: float | None = None
    """What ASYNC_LOW_LATENCY makes of that; None: the driver has nothing to set."""
    has_lines: bool = True
    """RTS and DTR come out of it; where they do not, setting them is no error."""


ADAPTERS: Final = {
    adapter.name: adapter
    for adapter in (
        Adapter(
            name="cp2102",
            driver="drivers/usb/serial/cp210x.c",
            written_back=_cp2102,
            latency=0.001,
        ),
        Adapter(
            name="cp2102n",
            driver="drivers/usb/serial/cp210x.c",
            written_back=_cp2102n,
            latency=0.001,
        ),
        # TYPE_H of pl2303_type_data, "old"; its limit is the lowest of the family.
        Adapter(
            name="pl2303h",
            driver="drivers/usb/serial/pl2303.c",
            written_back=_pl2303(1_228_800),
            latency=0.001,
        ),
        Adapter(
            name="pl2303hxd",
            driver="drivers/usb/serial/pl2303.c",
            written_back=_pl2303(12_000_000),
            latency=0.001,
        ),
        # TYPE_HXN has no divisors: pl2303_encode_baud_rate_direct.
        Adapter(
            name="pl2303hxn",
            driver="drivers/usb/serial/pl2303.c",
            written_back=lambda asked, before: min(asked, 12_000_000),
            latency=0.001,
        ),
        # ch341_set_termios leaves in place what was asked for; ch341_get_divisor clamps it to
        # 3 Mbaud and divides 48 MHz, which gives each rate up to 2 Mbaud to within 0.2 %.
        Adapter(
            name="ch340",
            driver="drivers/usb/serial/ch341.c",
            written_back=_as_asked,
            latency=0.001,
        ),
        # get_ftdi_divisor encodes what was asked for, and 9600 above 3 Mbaud; the latency timer is
        # 16 ms (ftdi_port_probe), 1 ms with ASYNC_LOW_LATENCY (write_latency_timer).
        Adapter(
            name="ft232r",
            driver="drivers/usb/serial/ftdi_sio.c",
            written_back=lambda asked, before: asked if asked <= 3_000_000 else 9_600,
            latency=0.016,
            low_latency=0.001,
        ),
        # A PC's own: serial8250_get_baud_rate allows 1/16 of 1.8432 MHz. Seen on a 16550A with
        # Linux 6.18: tcsetattr succeeds, and 115200 stays for each rate above it.
        Adapter(
            name="8250",
            driver="drivers/tty/serial/8250/8250_port.c",
            written_back=_refuses_above(115_200),
            latency=None,
        ),
        # The same with the 14.7456 MHz that some boards have.
        Adapter(
            name="8250-fast",
            driver="drivers/tty/serial/8250/8250_port.c",
            written_back=_refuses_above(921_600),
            latency=None,
        ),
        # A Raspberry Pi's ttyAMA0: pl011_set_termios allows 1/16 of 48 MHz; its header has no RTS.
        Adapter(
            name="pl011",
            driver="drivers/tty/serial/amba-pl011.c",
            written_back=_refuses_above(3_000_000),
            latency=None,
            has_lines=False,
        ),
    )
}
