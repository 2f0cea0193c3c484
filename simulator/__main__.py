"""The entry of ``python -m simulator``."""

from .alone import run_alone

run_alone("simulator.command_line")
