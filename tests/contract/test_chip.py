"""The simulated chip is judged by the table by which a real one is."""

import asyncio
import json
import os
from pathlib import Path
import sys

import pytest

from contract.chip import Kind, SearchError, chip_on
from contract.chip_table import CHIP_TABLE
from contract.expectations import Outcome, Verdict, play
from simulator.chip import simulated_chip
from simulator.factory import FactorySocket


def nothing(_: Verdict) -> None:
    """Hear a verdict and keep silent."""


async def test_simulated_chip_meets_every_expectation() -> None:
    async with simulated_chip(FactorySocket().dump()) as simulated:
        before = simulated.flash.read(0, 0x200000)
        async with chip_on(str(simulated.path), 20) as chip:
            verdicts = await play(CHIP_TABLE, chip, nothing)
        assert chip.kind is Kind.BK7231N
        assert simulated.flash.read(0, 0x200000) == before
        assert simulated.flash.counts.operations == 0
    failed = {v.says: v.reason for v in verdicts if v.outcome is Outcome.FAILED}
    assert failed == {}
    assert {v.reason for v in verdicts if v.outcome is Outcome.SKIPPED} == {
        "of BK7231T only"
    }


async def test_report_tells_the_chip(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    async with simulated_chip(FactorySocket().dump()) as simulated:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "contract", "chip"),
            *(str(simulated.path), "--json", str(report)),
            stdout=asyncio.subprocess.PIPE,
        )
        await process.communicate()
    assert process.returncode == 0
    told = json.loads(report.read_text(encoding="utf-8"))
    assert (told["kind"], told["chip"]) == ("chip", "BK7231N")
    assert told["chip_id"] == "0x7231c"
    assert len(told["expectations"]) == len(CHIP_TABLE)


async def test_search_ends_with_what_to_do() -> None:
    controller, port = os.openpty()
    try:
        with pytest.raises(SearchError, match="CEN"):
            async with chip_on(os.ttyname(port), 0.5):
                pass
    finally:
        os.close(controller)
        os.close(port)
