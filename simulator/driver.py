"""What the kernel's driver does between a serial library and a port, as a backend of serialx.

Importing this module registers the addresses ``simulated://ADAPTER/dev/pts/3``.
"""

import os
from pathlib import Path
import termios
from typing import Any, Final, override
from urllib.parse import urlsplit

from serialx import ModemPins, PinState, register_uri_handler
from serialx.common import PortSettingsUpdate
from serialx.platforms.serial_linux import LinuxSerial, LinuxSerialTransport

from .adapters import ADAPTERS, Adapter
from .modem_lines import LineClient, Lines

_SCHEME: Final = "simulated://"
# tty_termios_encode_baud_rate in drivers/tty/tty_baudrate.c leaves the constant that was asked for
# in place when the rate is within this part of it.
_CLOSE: Final = 50
_RATES: Final = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name[:1] == "B" and name[1:].isdecimal()
}
_CONSTANTS: Final = {rate: constant for constant, rate in _RATES.items()}


def url_of(adapter: Adapter, terminal: str) -> str:
    """Return the address under which serialx opens a terminal through an adapter's driver."""
    return f"{_SCHEME}{adapter.name}{terminal}"


def _parse(url: str) -> tuple[Adapter, str]:
    parts = urlsplit(url)
    if (adapter := ADAPTERS.get(parts.netloc)) is None:
        raise ValueError(f"no such adapter: {parts.netloc}")
    return adapter, parts.path


class DrivenSerial(LinuxSerial):
    """One opening of a simulated port, with an adapter's limits and lines."""

    def __init__(
        self,
        path: Any = None,
        *args: Any,
        adapter: Adapter | None = None,
        **kwargs: Any,
    ) -> None:
        """Take the address, or the terminal and its adapter; ``fileno`` where it is open."""
        if adapter is None:
            adapter, path = _parse(str(path))
        super().__init__(path, *args, **kwargs)
        self._adapter = adapter
        self._rate_before = 0
        self._driver_lines: LineClient | None = None
        if self._fileno is not None:
            self._raise_lines()

    @override
    def _open(self) -> None:
        super()._open()
        self._raise_lines()

    @override
    def _close(self) -> None:
        super()._close()
        self.lower_lines()

    def lower_lines(self) -> None:
        """Note that the port is closed."""
        if self._driver_lines is not None:
            self._driver_lines.close()
            self._driver_lines = None

    @override
    def _reconfigure_port(self, update: PortSettingsUpdate) -> None:
        self._rate_before = self._rate()
        super()._reconfigure_port(update)

    @override
    def _after_configure_port(self) -> None:
        super()._after_configure_port()
        asked = self._rate()
        rate = self._adapter.written_back(asked, self._rate_before)
        if abs(rate - asked) > rate // _CLOSE:
            self._write_back(rate)

    @override
    def _set_low_latency(self, value: bool) -> None:
        if self._adapter.low_latency is not None:
            flag = Lines.LOW_LATENCY if value else Lines(0)
            self._set_lines(flag, Lines.LOW_LATENCY)

    @override
    def _set_modem_pins(self, modem_pins: ModemPins) -> None:
        """As two ioctls, which is how the library does it: first those that are asserted."""
        if not self._adapter.has_lines:
            return
        for state in (PinState.HIGH, PinState.LOW):
            moved = Lines(0)
            if modem_pins.rts is state:
                moved |= Lines.RTS
            if modem_pins.dtr is state:
                moved |= Lines.DTR
            self._set_lines(moved if state is PinState.HIGH else Lines(0), moved)

    @override
    def _get_modem_pins(self) -> ModemPins:
        lines = self._driver_lines.lines if self._driver_lines else Lines(0)
        return ModemPins(
            rts=PinState.convert(bool(lines & Lines.RTS)),
            dtr=PinState.convert(bool(lines & Lines.DTR)),
        )

    def _raise_lines(self) -> None:
        if self._adapter.has_lines or self._adapter.low_latency is not None:
            self._driver_lines = LineClient(str(Path(str(self._path)).resolve()))

    def _set_lines(self, lines: Lines, which: Lines) -> None:
        if self._driver_lines is not None:
            self._driver_lines.set(self._driver_lines.lines & ~which | lines)

    def _rate(self) -> int:
        """Return the rate that termios names; 0 where it has no constant."""
        return _RATES.get(termios.tcgetattr(self.fileno())[5], 0)

    def _write_back(self, rate: int) -> None:
        constant = _CONSTANTS.get(rate)
        if constant is None:
            self._set_non_posix_baudrate(rate)
            return
        settings = termios.tcgetattr(self.fileno())
        settings[4] = settings[5] = constant
        termios.tcsetattr(self.fileno(), termios.TCSANOW, settings)


class DrivenSerialTransport(LinuxSerialTransport):
    """The same for asyncio."""

    transport_name = "simulated"
    _serial_cls = DrivenSerial

    @override
    async def _connect(  # type: ignore[override]
        self, *, path: str | os.PathLike[str], **kwargs: Any
    ) -> None:
        adapter, terminal = _parse(str(path))
        await super()._connect(path=terminal, adapter=adapter, **kwargs)

    @override
    async def _call_connection_lost(self, exc: Exception | None) -> None:
        try:
            await super()._call_connection_lost(exc)
        finally:
            if isinstance(self._serial, DrivenSerial):
                self._serial.lower_lines()


register_uri_handler(
    scheme=_SCHEME,
    unique_scheme=_SCHEME,
    sync_cls=DrivenSerial,
    async_transport_cls=DrivenSerialTransport,
    connect_kwargs=frozenset({"low_latency"}),
)
