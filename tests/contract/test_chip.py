"""The simulated chip is judged by the table by which a real one is."""

import asyncio
from dataclasses import replace
import json
import os
from pathlib import Path
import sys

import pytest

from contract.chip import SearchError, chip_on
from contract.chip_table import CHIP_TABLE, understands
from contract.expectations import Outcome, Verdict, play
from simulator.chip import simulated_chip
from simulator.chips import Chip
from simulator.commands import Command
from simulator.factory import FactorySocket
from simulator.faults import Fault, FaultName, Faults


def nothing(_: Verdict) -> None:
    """Hear a verdict and keep silent."""


@pytest.mark.parametrize("chip", [Chip.BK7231N, Chip.BK7231T])
async def test_simulated_chip_meets_every_expectation(chip: Chip) -> None:
    async with simulated_chip(FactorySocket().dump(), chip=chip) as simulated:
        before = simulated.flash.read(0, 0x200000)
        programmed = simulated.flash.counts.programmed_pages
        async with chip_on(str(simulated.path), 20) as judged:
            verdicts = await play(CHIP_TABLE, judged, nothing)
        assert judged.kind.name == chip
        assert simulated.flash.read(0, 0x200000) == before
        counts = simulated.flash.counts
        assert (counts.erased_4k, counts.erased_32k, counts.erased_64k) == (0, 0, 0)
        assert counts.programmed_pages == programmed
    failed = {v.says: v.reason for v in verdicts if v.outcome is Outcome.FAILED}
    assert failed == {}
    passed = [v.says for v in verdicts if v.outcome is Outcome.PASSED]
    assert len(passed) > 15


@pytest.mark.real_time
async def test_report_tells_the_chip(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    async with simulated_chip(FactorySocket().dump()) as simulated:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "contract", "chip"),
            *(str(simulated.path), "--json", str(report)),
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    told = json.loads(report.read_text(encoding="utf-8"))
    assert (told["kind"], told["chip"]) == ("chip", "BK7231N")
    assert told["chip_id"] == "0x7231c"
    assert len(told["expectations"]) == len(CHIP_TABLE)


async def test_echo_that_was_missed_is_asked_for_again() -> None:
    unheard = Fault(name=FaultName.REPLY_DROPPED, command=Command.SET_BAUDRATE)
    table = [understands(921_600)]
    faults = Faults()
    async with (
        simulated_chip(FactorySocket().dump(), faults=faults) as simulated,
        chip_on(str(simulated.path), 20) as judged,
    ):
        faults.add(unheard)
        (once,) = await play(table, judged, nothing)
        assert (once.outcome, once.reason) == (Outcome.PASSED, "")
        faults.add(replace(unheard, times=0))
        (always,) = await play(table, judged, nothing)
        assert always.outcome is Outcome.FAILED


async def test_search_ends_with_what_to_do() -> None:
    controller, port = os.openpty()
    try:
        with pytest.raises(SearchError, match="CEN"):
            async with chip_on(os.ttyname(port), 0.5):
                pass
    finally:
        os.close(controller)
        os.close(port)
