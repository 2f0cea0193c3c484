"""The entry of ``python -m demo``."""

from simulator.alone import run_alone

run_alone("demo.command_line")
