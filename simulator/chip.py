"""A socket on the bench: its chip, its power, and what runs on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
import logging
from pathlib import Path
import tempfile
from typing import Final, Protocol

from .adapters import Adapter
from .boot import Running, Verdict, bootloader_runs, examine
from .bootrom import DEFAULT_BAUDRATE, STANDARD_CODE_KEY, BootRom, Timings
from .chips import MODELS, Chip
from .clock import Clock
from .code_memory import CodeKey
from .commands import LINK_CHECK
from .driver import url_of
from .faults import CHIP_FAULTS, LINE_FAULTS, Action, Fault, FaultName, Faults
from .flash import Flash, PowerLostError
from .loader import FlashLoader, LoaderOfU
from .modem_lines import Lines
from .uart import LineOptions, Uart
from .update import apply_update

_LOGGER = logging.getLogger(__name__)

_LOADERS: Final[dict[Chip, type[BootRom]]] = {
    Chip.BK7231N: BootRom,
    Chip.BK7231T: FlashLoader,
    Chip.BK7231U: LoaderOfU,
}
_RF_MARK: Final = b"TLV\0"
_MAC_OFFSET: Final = 0x24
# What a Beken chip without calibration calls itself.
_GENERIC_MAC: Final = "c8:47:8c:00:00:00"
# How long a person takes to see that the chip does not answer, and to touch CEN to GND.
PATIENT_PERSON_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetWire:
    """A wire from a line of the adapter to CEN, which pulls that low while the line is asserted."""

    line: Lines
    inverted: bool = False
    """It pulls low while the line is not asserted, as with a transistor in between."""

    def pulls_low(self, lines: Lines) -> bool:
        """Return whether CEN is low with these lines asserted."""
        return bool(lines & self.line) != self.inverted


class Firmware(Protocol):
    """A firmware that the chip can start."""

    async def run(self) -> None:
        """Run until cancelled, which is what a loss of power looks like."""


type FirmwareFactory = Callable[[SimulatedSocket, str], Firmware]
"""Makes the firmware of a socket, given the version that its code names."""


class SimulatedSocket:
    """A socket whose UART1 is a pseudo-terminal.

    With power it starts into the boot ROM, and out of that into whatever its flash
    holds. It lives in the running event loop from ``start`` to ``stop``.
    """

    def __init__(
        self,
        flash: Flash,
        *,
        line: LineOptions = LineOptions(),
        timings: Timings = Timings(),
        chip: Chip = Chip.BK7231N,
        code_key: CodeKey = STANDARD_CODE_KEY,
        faults: Faults | None = None,
        clock: Clock | None = None,
        firmware: FirmwareFactory | None = None,
        link: Path | None = None,
        auto_reset: float | None = None,
        adapter: Adapter | None = None,
        reset_wire: ResetWire | None = None,
    ) -> None:
        """Make a socket without power.

        ``link`` is a symbolic link to its serial port. ``auto_reset``: a person resets
        the chip this many seconds after link checks came in vain. Without ``firmware``,
        OpenBeken's code starts nothing that can be observed. Without ``adapter``, the port
        is a bare terminal that takes every rate.
        """
        self.flash = flash
        self.chip = chip
        self.faults = faults or Faults()
        self.clock = clock or Clock()
        self.running = Running.NOTHING
        self.firmware: Firmware | None = None
        """OpenBeken, while it runs."""
        self.failure: Exception | None = None
        """Why the firmware ended by itself, which it should not."""
        self.verdict: Verdict | None = None
        """What the flash was found to hold when it was last started."""
        self.resets = 0
        """How often the chip began anew."""
        self.uart2_log = ""
        """What came out of UART2, which nothing is wired to."""
        self._line = line
        self._timings = timings
        self._code_key = code_key
        self._make_firmware = firmware
        self._link = link
        self._auto_reset = auto_reset
        self._adapter = adapter
        self._reset_wire = reset_wire
        self._cen_low = False
        self._powered = False
        self._rom: BootRom | None = None
        self._uart: Uart | None = None
        self._task: asyncio.Task[None] | None = None
        self._leave_rom: asyncio.TimerHandle | None = None
        self._person: asyncio.TimerHandle | None = None
        self._restores: set[asyncio.TimerHandle] = set()
        self._changed = asyncio.Event()
        self.faults.victim = self
        flash.watcher = self.faults.operation

    # The bench.

    async def start(self, *, powered: bool = True) -> None:
        """Plug the adapter in and, unless told otherwise, give the socket power."""
        self._uart = Uart(
            self._line,
            faults=self.faults,
            link=self._link,
            adapter=self._adapter,
            lines_changed=self._lines_moved,
        )
        self._lines_moved(self._uart.port.lines)
        self.power(on=powered)

    async def stop(self) -> None:
        """Take the power and the adapter away."""
        self.power(on=False)
        for timer in self._restores:
            timer.cancel()
        if self._person is not None:
            self._person.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])
        self.uart.close()

    @property
    def uart(self) -> Uart:
        """Return the chip's UART1; there is one from ``start`` on."""
        if self._uart is None:
            raise RuntimeError("the socket was not started")
        return self._uart

    @property
    def path(self) -> str:
        """Return the serial port to open: a path, or an address of `driver`."""
        path = self.uart.port.path
        return path if self._adapter is None else url_of(self._adapter, path)

    @property
    def held_in_reset(self) -> bool:
        """Return whether a line of the adapter keeps CEN low."""
        return self._cen_low

    @property
    def powered(self) -> bool:
        """Return whether the socket has power."""
        return self._powered

    @property
    def mac(self) -> str:
        """Return the station's address, lower case with colons."""
        sector = self.flash.read(MODELS[self.chip].rf_calibration, _MAC_OFFSET + 6)
        if not sector.startswith(_RF_MARK):
            return _GENERIC_MAC
        return sector[_MAC_OFFSET:].hex(":")

    def power(self, *, on: bool) -> None:
        """Switch the power; does nothing when it is so already."""
        if on == self._powered:
            return
        self._powered = on
        self._halt()
        self.uart.silence()
        if on:
            self._begin()

    def reset(self) -> None:
        """Touch CEN to GND, or let the watchdog bite."""
        if self._powered:
            self._halt()
            self.uart.silence()
            self._begin()

    async def wait_until(self, *running: Running) -> None:
        """Wait until the chip runs one of these."""
        while self.running not in running:
            await self._changed.wait()

    def inject(self, fault: Fault) -> None:
        """Let something go wrong; see FaultName for what and when."""
        self.faults.add(fault)
        if fault.name in LINE_FAULTS:
            self.uart.line_fault(fault)
        if fault.name in CHIP_FAULTS:
            self._solder()
        if fault.name in LINE_FAULTS | CHIP_FAULTS and fault.seconds:
            self._later(fault.seconds, lambda: self.clear(fault.name))

    def clear(self, name: FaultName | None = None) -> None:
        """Mend the faults of one name, or all. What they have spoilt stays spoilt."""
        self.faults.clear(name)
        self._solder()

    def lose_power(self, seconds: float) -> None:
        """Cut the power for some seconds, or for good with 0."""
        self.power(on=False)
        if seconds:
            self._later(seconds, lambda: self.power(on=True))

    def unplug(self, seconds: float) -> None:
        """Pull the adapter for some seconds, or for good with 0."""
        self.faults.restart()
        self.uart.port.unplug()
        self._lines_moved(Lines(0))
        if seconds:
            self._later(seconds, self.plug)

    def plug(self) -> None:
        """Put the adapter back; without a link, under another name."""
        self.uart.port.plug()
        self._lines_moved(self.uart.port.lines)

    def _lines_moved(self, lines: Lines) -> None:
        """Let CEN follow the line that is wired to it; an adapter that is pulled drives nothing."""
        wire = self._reset_wire
        if wire is None:
            return
        plugged = self._uart is None or self._uart.port.plugged
        was_low, self._cen_low = self._cen_low, plugged and wire.pulls_low(lines)
        if not self._powered or was_low == self._cen_low:
            return
        if self._cen_low:
            self._halt()
            self.uart.silence()
        else:
            self._begin()

    def hang(self) -> None:
        """Stop the chip until it is reset."""
        self._halt()
        self.uart.listener = _Deaf(self._hear_link_check)

    # The chip.

    def _begin(self) -> None:
        if self._cen_low:
            return
        self.resets += 1
        self.uart.baudrate = DEFAULT_BAUDRATE
        code, model = _LOADERS[self.chip], MODELS.get(self.chip)
        if code is not BootRom and not bootloader_runs(self.flash, self._code_key):
            return
        self._rom = code(
            self.flash,
            self.uart,
            restart=self.reset,
            timings=self._timings,
            faults=self.faults,
            chip_id=model.chip_id if model else None,
            code_key=self._code_key,
        )
        self.uart.listener = self._rom
        self._become(Running.ROM)
        self._leave_rom = asyncio.get_running_loop().call_later(
            self._timings.link_window, self._start_flash
        )

    def _halt(self) -> None:
        if self._leave_rom is not None:
            self._leave_rom.cancel()
        if self._rom is not None:
            self._rom.stop()
            self._rom = None
        if self._task is not None:
            self._task.cancel()
        self.uart.listener = None
        self._become(Running.NOTHING)

    def _start_flash(self) -> None:
        if self._rom is None or self._rom.linked:
            return
        self._rom.stop()
        self._rom = None
        self.uart.listener = _Deaf(self._hear_link_check)
        try:
            self.uart2_log += apply_update(self.flash, self._code_key, self.chip)
        except PowerLostError:
            return
        self.verdict = verdict = examine(self.flash, self._code_key, self.chip)
        self.uart2_log += verdict.log
        if verdict.running is Running.OPENBEKEN and self._make_firmware is not None:
            self.firmware = self._make_firmware(self, verdict.version or "")
            self._task = asyncio.create_task(self._run(self.firmware, self._task))
        self._become(verdict.running)

    async def _run(
        self, firmware: Firmware, previous: asyncio.Task[None] | None
    ) -> None:
        if previous is not None:
            await asyncio.wait([previous])
        try:
            await firmware.run()
        except PowerLostError:
            return
        except Exception as error:
            _LOGGER.exception("The firmware of %s ended by itself", self.mac)
            self.failure = error
        finally:
            if self.firmware is firmware:
                self.firmware = None

    def _become(self, running: Running) -> None:
        self.running = running
        self._changed.set()
        self._changed = asyncio.Event()

    def _hear_link_check(self) -> None:
        if self._auto_reset is None or self._person is not None:
            return

        def reset() -> None:
            self._person = None
            self.reset()

        loop = asyncio.get_running_loop()
        self._person = loop.call_later(self._auto_reset, reset)

    def _solder(self) -> None:
        """Give the flash the faults that it has from the beginning."""
        lasting = self.faults.lasting
        self.flash.unreachable = lasting(FaultName.FLASH_UNREACHABLE) is not None
        self.flash.status_sticks = lasting(FaultName.STATUS_STICKS) is not None
        jedec = lasting(FaultName.FLASH_ID)
        self.flash.odd_id = bytes.fromhex(jedec.value) if jedec else None
        worn = lasting(FaultName.WORN_SECTOR)
        self.flash.worn_sectors = {int(worn.value, 16)} if worn else set()

    def _later(self, seconds: float, action: Action) -> None:
        def act() -> None:
            self._restores.discard(timer)
            action()

        timer = asyncio.get_running_loop().call_later(seconds, act)
        self._restores.add(timer)


class _Deaf:
    """A chip that does not read its UART1; a person listens in its place."""

    busy_until = 0.0
    wanted = 1

    def __init__(self, heard_link_check: Action) -> None:
        self._heard_link_check = heard_link_check

    def receive(self, data: bytes, moment: Callable[[int], float]) -> int:
        """Swallow everything."""
        if LINK_CHECK in data:
            self._heard_link_check()
        return len(data)


@asynccontextmanager
async def simulated_chip(
    content: bytes | Flash | None = None,
    *,
    line: LineOptions = LineOptions(),
    timings: Timings = Timings(),
    chip: Chip = Chip.BK7231N,
    code_key: CodeKey = STANDARD_CODE_KEY,
    faults: Faults | None = None,
    firmware: FirmwareFactory | None = None,
    auto_reset: float | None = None,
    in_rom: bool = True,
    adapter: Adapter | None = None,
    reset_wire: ResetWire | None = None,
) -> AsyncIterator[SimulatedSocket]:
    """Run a socket in this event loop; its serial port is at ``path``.

    ``content`` is what its flash holds (2 MiB; blank if None). With ``in_rom`` the chip
    waits for a link check for ever after each reset, as if somebody always reset it at
    the right moment.
    """
    flash = content if isinstance(content, Flash) else Flash(content)
    if in_rom:
        timings = replace(timings, link_window=1e9)
    with tempfile.TemporaryDirectory(prefix="openbk-simulator-") as folder:
        socket = SimulatedSocket(
            flash,
            line=line,
            timings=timings,
            chip=chip,
            code_key=code_key,
            faults=faults,
            firmware=firmware,
            link=Path(folder) / "serial",
            auto_reset=auto_reset,
            adapter=adapter,
            reset_wire=reset_wire,
        )
        await socket.start()
        try:
            yield socket
        finally:
            await socket.stop()
